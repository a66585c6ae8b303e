"""Who may connect, who somebody is, and what may be asked of the page."""
