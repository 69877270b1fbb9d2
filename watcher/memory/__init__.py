"""Every SQL statement outside the hooks and the migrations. Knows neither the transcript nor the agent."""
