"""Run files: TOML with positions, typed against the constructors of the parts, all errors at once."""

from ebmkit.config.convert import UNSUPPORTED, as_toml, describe, is_supported
from ebmkit.config.document import ConfigProblemsError, Document, Key, header
from ebmkit.config.opening import override_value, read_document
from ebmkit.config.paths import beside
from ebmkit.config.reader import Reader
from ebmkit.config.tables import (
    AveragingTable,
    ChainKeys,
    DataKeys,
    EvaluationTable,
    GuardTable,
    RunTable,
    WeightKeys,
)
from ebmkit.parameters.signature import REQUIRED, Parameter, PartSlot, Signature, signature_of

__all__ = [
    "REQUIRED",
    "UNSUPPORTED",
    "AveragingTable",
    "ChainKeys",
    "ConfigProblemsError",
    "DataKeys",
    "Document",
    "EvaluationTable",
    "GuardTable",
    "Key",
    "Parameter",
    "PartSlot",
    "Reader",
    "RunTable",
    "Signature",
    "WeightKeys",
    "as_toml",
    "beside",
    "describe",
    "header",
    "is_supported",
    "override_value",
    "read_document",
    "signature_of",
]
