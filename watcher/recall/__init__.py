"""Memory to reader. Knows neither the agent nor the transcript."""
