"""The native HTTP interface: orders and updates in, everything out to read, described by itself."""
