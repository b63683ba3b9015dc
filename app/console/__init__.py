"""The operator's pages: a client of the REST API that runs inside the server."""
