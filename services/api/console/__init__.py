"""The console: Swagger UI on both OpenAPI documents, and the front page."""
