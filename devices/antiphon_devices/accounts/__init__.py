"""Who may log in at the broker, and what each account reaches."""
