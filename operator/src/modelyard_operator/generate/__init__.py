"""What is generated from the typed models: CRDs, docs/api.md, and the kinds as the chart knows them."""
