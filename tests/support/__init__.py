"""What tests share; pytest puts the folder above on the path: ``from tests.support.apiserver import ...``."""
