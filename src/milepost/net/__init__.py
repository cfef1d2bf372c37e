"""The back door: requests to receivers, on libcurl, to addresses that the guard permits."""
