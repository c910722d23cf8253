"""The Modelyard operator: Dataset, TrainingJob and Deployment on Kubernetes."""
