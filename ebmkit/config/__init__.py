"""Run files: TOML with positions, typed against the constructors of the parts, all errors at once."""

from ebmkit.config.convert import describe
from ebmkit.config.document import ConfigProblemsError, Document, Key, read_document
from ebmkit.config.reader import Reader, did_you_mean
from ebmkit.config.signature import REQUIRED, Parameter, PartSlot, Signature, signature_of
from ebmkit.config.tables import ChainKeys, DataKeys, GuardTable, RunTable, WeightKeys

__all__ = [
    "REQUIRED",
    "ChainKeys",
    "ConfigProblemsError",
    "DataKeys",
    "Document",
    "GuardTable",
    "Key",
    "Parameter",
    "PartSlot",
    "Reader",
    "RunTable",
    "Signature",
    "WeightKeys",
    "describe",
    "did_you_mean",
    "read_document",
    "signature_of",
]
