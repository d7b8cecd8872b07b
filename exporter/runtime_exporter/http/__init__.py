"""What a request costs: WSGI and ASGI middleware."""
