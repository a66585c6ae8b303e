"""Toy Cosmos Transfer."""
