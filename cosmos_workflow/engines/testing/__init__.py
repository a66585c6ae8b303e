"""Test doubles and checks for engines: a harness, the contract that each keeps, and toys. No product module imports it."""
