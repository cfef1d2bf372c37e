"""The providers' own interfaces, as their clients know them."""
