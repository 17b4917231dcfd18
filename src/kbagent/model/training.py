"""The programs for which training data are written."""

from enum import StrEnum


class TrainingFormat(StrEnum):
    """Who reads it."""

    AGENT_LIGHTNING = "agent-lightning"
    VW = "vw"
    OBP = "obp"
    DPO = "dpo"
    KTO = "kto"
    TRIPLETS = "triplets"
    OTEL = "otel"
