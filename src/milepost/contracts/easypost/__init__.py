"""EasyPost: tracking that comes in; nothing is sent in its words."""
