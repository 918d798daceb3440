"""What people see when they debug: `repr()`, and warnings of debug mode."""
