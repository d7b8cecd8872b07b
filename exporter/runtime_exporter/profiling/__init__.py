"""Samplers, profiles and what is made of them."""
