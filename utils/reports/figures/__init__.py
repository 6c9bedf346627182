"""Figures as PDFs."""
