"""How one event becomes deliveries, in which order, and what a reply means; pure."""
