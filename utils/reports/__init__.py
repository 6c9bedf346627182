"""What people see of runs, from their files alone: groups, tables, pages and figures."""
