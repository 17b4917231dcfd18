"""The title of an issue: that of its most central case, unless a person named it."""

from collections.abc import Iterable

from kbagent.core.linking.families import most_central
from kbagent.store import cases, fixes, issues, models, passages
from kbagent.store.knowledge_base import KnowledgeBase

_LOOKED_AT = 2_000  # cases of an issue among which the most central is sought


def name_issues(kb: KnowledgeBase, issue_ids: Iterable[int]) -> None:
    """Give these issues the titles that fit their cases now. A case alone names nothing new."""
    model = models.active(kb.connection)
    for issue_id in sorted(set(issue_ids)):
        members = issues.members(kb.connection, issue_id)
        untitled = issues.name_of(kb.connection, issue_id)[0] is None
        if model is None or (untitled and len(members) < 2):
            continue
        owners, matrix = passages.of_cases(kb.connection, model.id, members[:_LOOKED_AT])
        if len(owners):
            central = int(owners[most_central(fixes.unit(matrix))])
            titled = cases.by_ids(kb.connection, [central])[central]
            issues.set_title(kb.connection, issue_id, titled.title, None)
