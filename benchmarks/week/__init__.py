"""A week of two hubs and a merchant, with chaos on every link between them."""
