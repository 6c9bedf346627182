"""Layers: ghost batch norm."""
