"""What an order is and which life it may have; pure."""
