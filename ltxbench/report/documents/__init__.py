"""Generated parts of Markdown documents: tables, figures and command output between two comments."""
