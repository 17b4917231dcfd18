"""Which facets can be a cause, by name: those that presets leave in a case, and others."""

import pytest

from kbagent.store.readers.mapping import presets
from kbagent.usecases.mine.columns import is_known_on_arrival

NO_CAUSE = {
    "freshdesk": """status priority type tags spam responder_id requester_id requester_name
        requester_email agent agent_interactions customer_interactions resolution_status
        resolution_time_in_hrs first_response_status survey_results satisfaction_rating.ratings
        fr_escalated is_escalated stats.agent_responded_at stats.reopened_at stats.closed_at
        closed_time resolved_time last_update_time group_id contact_id updated_at""",
    "freshservice": """status priority urgency impact type agent responder_name requester_name
        requested_by resolution_status resolution_code closure_code closed_date resolved_date
        survey_result is_escalated first_response_status group_name updated_at department""",
    "github": """state state_reason label labels author assignee closed_by closed_at updated_at
        updatedAt stateReason closedAt""",
    "intercom": """state priority conversation_rating.rating conversation_rating.teammate.id
        admin_assignee_id team_assignee_id statistics.count_reopens statistics.count_assignments
        statistics.last_closed_by_id statistics.time_to_first_close contacts.contacts.id
        source.author.id updated_at tags""",
    "jira": """status status_category priority issue_type labels assignee assignee_id reporter
        reporter_id creator creator_id resolution resolution_date resolved updated time_spent
        comment custom_field_satisfaction custom_field_satisfaction_rating project_key
        custom_field_resolution_notes""",
    "kbagent": "queue status csat closed_by",
    "servicenow": """state incident_state problem_state priority urgency impact severity
        assigned_to assignment_group caller_id caller opened_by resolved_by closed_by sys_created_by
        sys_updated_by sys_updated_on close_code close_notes resolution_code resolution_notes
        work_notes comments comments_and_work_notes reopen_count reopened_by escalation
        calendar_duration business_duration resolve_time user_input closed_at resolved_at
        requested_by u_state""",
    "zendesk": """status priority type ticket_type tags assignee assignee_id requester requester_id
        requester_email submitter submitter_id recipient satisfaction_rating.score
        satisfaction_score metric_set.reopens metric_set.replies group_id group updated_at updated
        solved solved_at has_incidents first_reply_time_in_minutes
        full_resolution_time_in_minutes reopens replies""",
}


def test_each_preset_has_its_names_looked_at():
    assert set(NO_CAUSE) == set(presets())


@pytest.mark.parametrize("preset", NO_CAUSE)
def test_people_and_what_is_known_afterwards_are_no_cause(preset):
    assert [name for name in NO_CAUSE[preset].split() if is_known_on_arrival(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "operating_system",
        "operatingSystem",
        "us_state",
        "US State",
        "region_state",
        "address.state",
        "screen_resolution",
        "Screen-Resolution",
        "user_agent",
        "userAgent",
        "user_role",
        "upgrade_channel",
        "closest_store",
        "estate",
        "contact_type",
        "agent_version",
        "print_queue",
        "message_queue",
        "prototype",
        "underscore_id",
        "author_association",
        "operating_unit",
        "via.channel",
        "os",
        "version",
        "cmdb_ci",
    ],
)
def test_a_name_that_only_holds_such_a_word_stays(name):
    assert is_known_on_arrival(name)


@pytest.mark.parametrize(
    "name",
    ["Satisfaction Rating", "csatScore", "custom_fields.cf_state", "Ticket State", "Closed By"],
)
def test_however_it_is_spelt_it_is_left_out(name):
    assert not is_known_on_arrival(name)
