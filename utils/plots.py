"""Pages that people look at: one for a run, one that compares many; both drawn from files alone."""

from utils.pages.comparison_page import COLUMNS, check_colors, write_comparison_page
from utils.pages.run_page import write_run_page

__all__ = ['COLUMNS', 'check_colors', 'write_comparison_page', 'write_run_page']
