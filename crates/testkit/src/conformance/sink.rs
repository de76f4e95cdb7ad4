//! Usage sinks: a batch is taken, or the sink says that it was not.

use std::sync::Arc;

use gatewright::record::UsageRecord;
use gatewright::{BoxFuture, ExtError, Extension, Tags, Usage, UsageSink};

use super::suite::{Suite, run};
use crate::extension::{TestEnv, usage_record};

/// Records in the large batch; the host hands over no more at a time.
const BATCH: usize = 256;

/// Batches are taken: none, one, many, and the same again, as after a delivery whose outcome was lost. With every
/// service failing, a sink that had used one says that the batch was not taken, so that it comes again.
///
/// # Panics
/// If that does not hold.
pub fn usage_sink<E: Extension + UsageSink>(suite: &Suite<E>) {
    let record = |number: u32| {
        let mut record = usage_record(suite.caller(), Usage { input: 10, output: 5, ..Usage::default() });
        record.attempt = number;
        let mut tags = Tags::default();
        tags.set("team", "a \"quoted\", ü");
        Arc::new(UsageRecord { tags, ..record })
    };
    let records: Vec<_> = (1..).take(BATCH).map(record).collect();
    batches(suite, &records, |sink, batch| sink.deliver(batch));
}

/// The same for either kind of record.
pub(super) fn batches<E: Extension, R>(
    suite: &Suite<E>,
    records: &[Arc<R>],
    deliver: impl for<'a> Fn(&'a E, &'a [Arc<R>]) -> BoxFuture<'a, Result<(), ExtError>>,
) {
    run(async {
        let bed = suite.bed();
        let sink = suite.instance(&bed).await;
        let one = records.get(..1).unwrap_or_default();
        for (what, batch) in
            [("an empty batch", &[][..]), ("one record", one), ("the same again", one), ("many", records)]
        {
            if let Err(error) = deliver(&sink, batch).await {
                panic!("`{}` does not take {what}, where all services work: {error}", E::NAME);
            }
        }
        if bed.called_services().iter().all(|service| *service == "secrets" || *service == "cache") {
            return;
        }
        let bed = suite.bed();
        let sink = suite.instance(&bed).await;
        TestEnv::SERVICES.iter().for_each(|service| bed.fail_service(service));
        assert!(
            deliver(&sink, records).await.is_err(),
            "`{}` says that it took a batch, and no service worked: the records are lost",
            E::NAME
        );
        let _empty = deliver(&sink, &[]).await;
        TestEnv::SERVICES.iter().for_each(|service| bed.restore_service(service));
        if let Err(error) = deliver(&sink, records).await {
            panic!("`{}` does not take the batch again, when all services work again: {error}", E::NAME);
        }
    });
}
