"""How a change stands, by the record's history, our attempts and the plan. Pure."""
