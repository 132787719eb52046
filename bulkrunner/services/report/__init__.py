"""What a report says, put together from the ledger."""
