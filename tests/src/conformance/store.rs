//! What every backend of the store must do.
//!
//! Reading order: [`lab`] (a store on the bench, with short words for long verbs), [`mod@reference`] (what is right, in
//! plain maps), [`sketch`] (how the two are compared), [`random`] (random lives, step by step against the
//! reference), [`pairs`] (every state and event), then the rules of DESIGN.md section 3 by name: [`claims`],
//! [`leases`], [`dispatching`], [`cancelling`], [`families`], [`accepting`], [`keeping`], [`filing`], [`looking`],
//! [`asides`], and what is kept about the fleet itself: [`orders`], [`notes`], [`alerts`].
//!
//! A backend runs all of it with [`store_suite!`](crate::store_suite).

pub mod lab;

mod ask;

pub mod reference;

pub mod sketch;

pub mod random;

pub mod pairs;

pub mod claims;

pub mod leases;

pub mod dispatching;

pub mod cancelling;

pub mod families;

pub mod accepting;

pub mod keeping;

pub mod filing;

pub mod looking;

pub mod asides;

pub mod orders;

pub mod notes;

pub mod alerts;

use std::sync::Arc;

use async_trait::async_trait;
use shared::store::Store;

/// Makes stores of one backend.
#[async_trait]
pub trait Backend: Send + Sync {
    /// An empty store. An earlier one of the same backend may lose its data by this.
    async fn fresh(&self) -> Arc<dyn Store>;
}

/// Runs the whole suite on a backend: `$start` is an expression that makes a [`Backend`] for one test.
#[macro_export]
macro_rules! store_suite {
    ($start:expr) => {
        $crate::store_suite!(@tests $start;
            random: lives_agree_with_the_reference;
            pairs: every_pair_follows_the_table;
            claims: a_token_asked_again_gets_the_same_grant, one_of_many_claimers_wins,
                a_claim_checks_the_mode, a_claim_checks_expiry, a_claim_of_a_scheduled_task_is_stale,
                a_claim_is_unknown_without_a_task, a_copy_of_a_slip_is_stale, attempts_grow_across_retry,
                a_report_is_answered_twice_alike, a_release_is_free, a_grant_carries_what_the_task_reads,
                a_claim_may_overtake_published;
            leases: a_finish_before_the_sweep_wins, a_lapsed_token_is_refused,
                only_lapses_alone_count, after_an_outage_leases_are_extended, a_renewal_extends_and_stores_progress,
                a_retry_delay_is_waited_for;
            dispatching: a_nonce_asked_again_takes_nothing_new, priorities_are_strict, urgent_work_starves_nobody, windows_hold,
                tenants_and_types_take_turns, a_take_that_lapsed_is_ready_again, published_after_the_claim_is_stale,
                overdue_slips_are_counted_and_requeued, a_crowded_route_hides_no_other,
                bundles_count_as_one_slip, nothing_is_taken_while_paused,
                an_expired_task_is_not_taken, a_take_sets_only_so_many_aside, the_learned_run_time_travels;
            cancelling: a_pending_cancel_ends_at_once, success_beats_cancel, any_other_end_becomes_cancelled,
                a_cancel_is_heard_at_the_renewal;
            families: dependents_start_after_their_parents, failure_cascades_and_retry_revives,
                policy_run_starts_after_failure, another_failed_parent_keeps_dependents_cancelled,
                an_unblocked_task_waits_for_its_time, retry_waits_for_open_parents, a_late_dependent_sees_final_parents;
            accepting: a_key_replays_its_answer, a_key_with_another_body_is_refused, nothing_is_stored_of_a_bad_plan,
                a_stopped_fleet_refuses_and_still_replays, ten_thousand_tasks_fit_one_submission,
                a_lost_answer_may_be_asked_again;
            keeping: parents_outlive_their_dependents, a_late_parent_holds_up_no_other, counters_are_cumulative, totals_span_tenants, tenants_are_strangers,
                the_mode_is_kept_and_told, workers_come_and_go, types_are_announced;
            filing: a_file_is_known_by_its_content, a_lost_blob_is_replaced, unknown_files_refuse_a_plan,
                a_file_lives_while_a_task_refers_to_it, a_result_keeps_the_files_that_its_run_made,
                a_late_report_keeps_no_file, the_blobs_of_a_task_are_told, the_first_mark_stands,
                a_tenant_keeps_its_key_of_contacts;
            looking: pages_stay_stable_while_tasks_arrive, filters_select, labels_select, counts_describe_the_queue,
                signals_arrive, a_view_tells_the_whole_life;
            asides: a_task_that_does_not_fit_is_set_aside, a_late_word_sets_nothing_aside,
                each_time_takes_twice_as_long, a_task_set_aside_lives_on;
            notes: a_note_is_kept_until_its_time_is_over, notes_and_figures_have_bounds,
                rows_stand_in_order_of_time, rows_end_with_their_time;
            alerts: an_alert_is_updated_under_its_id, resolved_alerts_are_kept_for_a_day,
                so_many_alerts_are_kept, alerts_have_bounds, one_of_many_tells_it,
                fifty_at_once_have_one_first;
            orders: an_order_stands_until_it_is_withdrawn_or_over, the_latest_order_counts,
                orders_of_a_worker_go_with_it, orders_are_told, what_is_no_order_is_refused,
                a_worker_says_what_it_likes_within_bounds;
        );
    };
    (@tests $start:expr; $($group:ident: $($name:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let backend = $start;
                $crate::conformance::store::$group::$name(&backend).await;
            }
        )+)+
    };
}
