"""A job file read and checked: schema, cascade, and every value resolved."""
