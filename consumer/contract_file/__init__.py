"""The contract's document: Open Data Contract Standard YAML, read with its lines and compiled for the core.

`compile.py` is the way through: `located.py` reads the YAML, `standard.py` checks that it is such a document,
`fields.py` reads the fields. What all of them may find is explained in `consumer/contract.yaml`.
"""

from consumer.contract_file.compile import load_contract
from consumer.contract_file.located import ContractError

__all__ = ["ContractError", "load_contract"]
