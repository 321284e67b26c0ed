//! The contract suite on SQLite, and what `kill -9` leaves behind.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod suite;

use std::path::Path;

use store::{Reader, Writer};
use suite::{accounts, erasure, events, mailboxes, outbox, paging, recordings, sounds, stays};

fn open(folder: &Path) -> (Writer, Reader) {
    let path = folder.join("switchhook.db");
    let writer = Writer::open(&path).expect("an empty folder takes a database");
    let reader = Reader::open(&path, 2).expect("the writer has made the database");
    (writer, reader)
}

macro_rules! on_sqlite {
    ($($module:ident::$rule:ident),+ $(,)?) => {
        $(#[test]
        fn $rule() {
            $module::$rule(open);
        })+
    };
}

on_sqlite! {
    accounts::versions_count_up_per_name,
    accounts::the_newest_document_of_each_account_is_listed,
    erasure::counters_go_down_with_the_rows,
    erasure::old_deliveries_go_and_numbers_never_return,
    erasure::events_of_open_calls_stay,
    events::open_calls_come_back_whole_and_in_order,
    events::what_follows_the_end_does_not_open_a_call_again,
    events::heartbeat_and_last_call_survive_a_restart,
    outbox::numbers_rise_over_restarts,
    outbox::a_lane_is_read_in_order_and_in_parts,
    outbox::late_ones_are_read_when_they_are_due,
    outbox::finished_ones_are_listed_with_their_history,
    outbox::what_a_webhook_object_is_told_keeps_its_destination,
    recordings::each_goes_its_way_once,
    recordings::a_link_can_be_renewed_and_what_is_old_is_forgotten,
    paging::pages_equal_a_sorted_list,
    paging::each_row_is_on_one_page,
    paging::a_cursor_goes_on_behind_its_row,
    paging::days_end_at_midnight_utc,
    paging::a_row_never_changes_and_counts_once,
    paging::names_and_numbers_find_the_same_user,
    paging::unknown_filters_match_nothing,
    paging::accounts_do_not_see_one_another,
    mailboxes::messages_are_listed_counted_and_forgotten,
    mailboxes::what_a_mailbox_knows_of_its_pin_is_kept,
    sounds::each_account_has_its_own,
    stays::pages_of_stays_equal_a_sorted_list,
    stays::a_stay_never_changes_and_counts_once,
    stays::users_calls_are_in_no_group,
    stays::stays_are_forgotten_with_their_calls,
    stays::the_call_of_a_stay_is_never_given_again,
}
