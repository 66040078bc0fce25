//! The answer about messages and meshes, in the order in which it is read.

mod costs;
mod reached;
mod worst;

use super::Pubsub;
use super::control::Sums;
use crate::report::{Cell, Facts, Line, Report, Section, Table, Tone, Unit};
use crate::summary::percentile;

/// Puts what was measured into words and tables.
pub fn report(pubsub: &Pubsub) -> Report {
    let all = Totals::of(pubsub);
    let mut report = Report::new("pubsub", format!("Messages of {}", pubsub.title));
    report.headline = Some(headline(&all));
    report.sections.push(Section::Facts(reach_facts(pubsub, &all)));
    report.sections.push(Section::Facts(cost_facts(pubsub, &all)));
    let mut table = |table: Table| report.sections.push(Section::Table(table));
    table(reached::topics(pubsub));
    table(reached::groups(pubsub));
    table(reached::latency(pubsub));
    table(reached::spread(pubsub));
    table(reached::hops(pubsub));
    table(costs::mesh(pubsub));
    table(costs::course(pubsub));
    table(costs::control(pubsub));
    table(costs::control_by_group(pubsub));
    table(worst::messages(pubsub));
    table(worst::routers(pubsub));
    if !pubsub.rejected.is_empty() {
        table(costs::rejected(pubsub));
    }
    if !pubsub.counted.is_empty() {
        table(costs::counted(pubsub));
    }
    table(worst::all_messages(pubsub));
    table(worst::all_routers(pubsub));
    table(reached::cdf(pubsub));
    notes(pubsub, &all, &mut report);
    report
}

/// Sums over a part of a run's messages and routers.
#[derive(Debug, Clone, Default)]
struct Totals {
    published: u64,
    expected: u64,
    delivered: u64,
    on_time: u64,
    others: u64,
    /// Deliveries and copies at routers with whole traces: of the others nobody knows the copies.
    got_on_whole: u64,
    duplicates: u64,
    /// Subscribers of messages, publishers included, as far as their traces are whole.
    subscribers_on_whole: u64,
    /// Ascending, of expected deliveries.
    latencies_ns: Vec<f64>,
    /// Of all deliveries whose hops are known.
    hops: Vec<u32>,
    by_mesh: u64,
    by_mesh_known: u64,
}

/// Which part.
#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    All,
    Topic(u32),
    Group(&'a str),
}

impl Totals {
    fn of(pubsub: &Pubsub) -> Self {
        Self::part(pubsub, Part::All)
    }

    /// The sums of a topic, or of the routers of a group as receivers.
    fn part(pubsub: &Pubsub, part: Part<'_>) -> Self {
        let mut sums = Self::default();
        let (messages, routers) = (&pubsub.messages, &pubsub.routers);
        let of_topic = |topic: Option<u32>| match part {
            Part::Topic(wanted) => topic == Some(wanted),
            Part::All | Part::Group(_) => true,
        };
        let of_group = |router: u32| match part {
            Part::Group(wanted) => routers[router as usize].group == wanted,
            Part::All | Part::Topic(_) => true,
        };
        for message in messages.all.iter().filter(|message| of_topic(message.topic)) {
            sums.published += u64::from(message.publisher.is_some_and(of_group));
            if !matches!(part, Part::Group(_)) {
                sums.expected += message.expected;
                sums.on_time += message.on_time;
                sums.duplicates += message.duplicates;
            }
        }
        for delivery in &messages.deliveries {
            if !of_topic(messages.all[delivery.message as usize].topic) || !of_group(delivery.router) {
                continue;
            }
            sums.got_on_whole += u64::from(routers[delivery.router as usize].whole);
            sums.hops.extend(delivery.hops);
            sums.by_mesh_known += u64::from(delivery.by_mesh.is_some());
            sums.by_mesh += u64::from(delivery.by_mesh == Some(true));
            if delivery.expected {
                sums.delivered += 1;
                sums.latencies_ns.extend(delivery.latency_ns.map(|ns| ns as f64));
            } else {
                sums.others += 1;
            }
            if matches!(part, Part::Group(_)) {
                let on_time = delivery.latency_ns.is_some_and(|ns| ns <= pubsub.options.deadline_ns);
                sums.on_time += u64::from(delivery.expected && on_time);
            }
        }
        for (router, share) in routers.iter().zip(&messages.shares) {
            if let Part::Group(group) = part {
                if router.group != group {
                    continue;
                }
                sums.expected += share.expected;
                sums.duplicates += share.duplicates;
            }
            if router.whole {
                sums.subscribers_on_whole += share.expected + share.published;
            }
        }
        sums.latencies_ns.sort_unstable_by(f64::total_cmp);
        sums
    }

    /// Delivered of expected.
    fn delivery_ratio(&self) -> Option<f64> {
        share(self.delivered, self.expected)
    }

    /// Copies of what a router had already, for each delivery; nothing where no trace tells of copies.
    fn duplicates_per_delivery(&self) -> Option<f64> {
        share(self.duplicates, self.got_on_whole)
    }

    /// Expected deliveries that were not made within the deadline.
    fn late(&self) -> u64 {
        self.expected - self.on_time
    }

    fn latency(&self, share: f64) -> Cell {
        nanos(percentile(&self.latencies_ns, share))
    }

    fn mean_hops(&self) -> Option<f64> {
        let sum: u64 = self.hops.iter().map(|&hops| u64::from(hops)).sum();
        share(sum, self.hops.len() as u64)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn ratio(share: Option<f64>) -> Cell {
    share.map_or(Cell::Absent, Cell::ratio)
}

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

fn nanos(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, |ns| Cell::Number(ns, Unit::Nanos))
}

/// `1 message`, `3 messages`.
fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// What RPCs of all routers held.
fn sums(pubsub: &Pubsub) -> Sums {
    let mut all = Sums::default();
    pubsub.sums.iter().for_each(|sums| all.add(sums));
    all
}

/// The length of the traces in seconds.
fn seconds(pubsub: &Pubsub) -> Option<f64> {
    let (first, last) = pubsub.span_ns?;
    Some(last.saturating_sub(first) as f64 / 1e9).filter(|&seconds| seconds > 0.0)
}

fn headline(all: &Totals) -> Line {
    let line = |text: String, tone| Line { text, tone };
    let Some(delivered) = all.delivery_ratio() else {
        let text = if all.published == 0 {
            "no message was published, as far as the traces tell".to_owned()
        } else {
            format!("{} published, and nobody else was subscribed", plural(all.published, "message", "messages"))
        };
        return line(text, Tone::Warn);
    };
    let missed = all.expected - all.delivered;
    // A share that is all but whole must not read as whole.
    let all_but = missed > 0 && delivered > 0.9995;
    let share = if all_but { ">99.9 %".to_owned() } else { format!("{:.1} %", 100.0 * delivered) };
    let mut parts = vec![format!("{} of {} deliveries were made ({share})", all.delivered, all.expected)];
    if let (Some(half), Some(most)) = (percentile(&all.latencies_ns, 0.5), percentile(&all.latencies_ns, 0.99)) {
        parts.push(format!("half of them within {:.1} ms, 99 % within {:.1} ms", half / 1e6, most / 1e6));
    }
    if let Some(copies) = all.duplicates_per_delivery() {
        parts.push(format!("{copies:.2} duplicates for each"));
    }
    let text = parts.join("; ");
    line(text, if missed > 0 { Tone::Warn } else { Tone::Good })
}

fn reach_facts(pubsub: &Pubsub, all: &Totals) -> Facts {
    let mut facts = Facts::new("reach", "");
    facts.add(
        "topics",
        "topics",
        pubsub.messages.all.iter().filter_map(|m| m.topic).collect::<std::collections::BTreeSet<_>>().len(),
    );
    facts.add_with("routers", "routers", pubsub.routers.len(), "peers that wrote a trace");
    facts.add("published", "messages published", all.published);
    let who = "routers subscribed and alive at the publish, without the publisher, over all messages";
    facts.add_with("expected", "deliveries expected", all.expected, who);
    facts.add("delivered", "delivered", all.delivered);
    facts.add_with("delivery_ratio", "delivery ratio", ratio(all.delivery_ratio()), "delivered of expected");
    facts.add("missed", "missed", all.expected - all.delivered);
    let after = format!("missed, or later than {}", seconds_text(pubsub.options.deadline_ns));
    facts.add_with("deadline_misses", "deadline misses", all.late(), after);
    facts.add("latency_p50_ns", "latency p50", all.latency(0.5));
    facts.add("latency_p95_ns", "latency p95", all.latency(0.95));
    facts.add("latency_p99_ns", "latency p99", all.latency(0.99));
    facts.add("latency_max_ns", "latency max", all.latency(1.0));
    facts.add("hops_mean", "hops mean", number(all.mean_hops()));
    facts.add_with("hops_max", "hops max", all.hops.iter().max().copied(), "along who first handed a message to whom");
    let reached = pubsub.messages.all.iter().filter(|message| message.expected > 0).count() as u64;
    let whole = pubsub.messages.all.iter().filter(|m| m.expected > 0 && m.delivered == m.expected).count() as u64;
    facts.add_with(
        "everywhere_ratio",
        "messages everywhere",
        ratio(share(whole, reached)),
        "messages that all got who were expected to",
    );
    facts
}

fn seconds_text(ns: i64) -> String {
    format!("{:?}", std::time::Duration::from_nanos(ns.unsigned_abs()))
}

fn cost_facts(pubsub: &Pubsub, all: &Totals) -> Facts {
    let mut facts = Facts::new("cost", "Cost");
    let messages = &pubsub.messages;
    let known = pubsub.routers.iter().any(|router| router.whole);
    facts.add("duplicates", "duplicates", known.then_some(all.duplicates));
    let (mut time, mut places) = (0.0, 0.0);
    for topic in &pubsub.mesh.topics {
        time += topic.subscribed_ns as f64;
        places += topic.mean_degree.unwrap_or(0.0) * topic.subscribed_ns as f64;
    }
    let degree = (pubsub.mesh.is_known() && time > 0.0).then(|| places / time);
    // A message comes by one link and leaves by the others of a node, so half of all links but the tree's carry a copy.
    let baseline = degree
        .filter(|&degree| degree >= 2.0)
        .map(|degree| format!("a mesh of this degree alone makes (D − 2) / 2 = {:.2}", (degree - 2.0) / 2.0));
    let per = number(all.duplicates_per_delivery());
    facts.add_with("duplicates_per_delivery", "duplicates per delivery", per, baseline.unwrap_or_default());
    let each = number(share(all.duplicates, all.subscribers_on_whole));
    facts.add_with("duplicates_per_subscriber", "duplicates per subscriber", each, "publishers counted in");
    let lags: Vec<f64> = messages.lags_ns.iter().map(|&ns| ns as f64).collect();
    let after = "after the delivery at the same router";
    facts.add_with("duplicate_lag_p50_ns", "duplicate lag p50", nanos(percentile(&lags, 0.5)), after);
    facts.add("duplicate_lag_p95_ns", "duplicate lag p95", nanos(percentile(&lags, 0.95)));
    let useful = share(all.got_on_whole, all.got_on_whole + all.duplicates).filter(|_| known);
    facts.add_with("useful_ratio", "useful copies", ratio(useful), "deliveries of all copies received");
    let by_mesh = ratio(share(all.by_mesh, all.by_mesh_known));
    let how = "first handed over by a member of the receiver's mesh; the others came by gossip or flood";
    facts.add_with("by_mesh_ratio", "delivered by the mesh", by_mesh, how);
    facts.add("mesh_degree_mean", "mesh degree", number(degree));
    let forwarded: Vec<u32> =
        messages.shares.iter().map(|share| u32::try_from(share.forwarded).unwrap_or(u32::MAX)).collect();
    let gini = crate::graph::degree::Degrees { of: forwarded }.gini();
    facts.add_with("first_gini", "Gini of first handing over", number(gini), "0: every router is first equally often");
    facts.add("fan_out_mean", "fan-out mean", number(messages.fan_out.map(|(_, mean)| mean)));
    facts.add("fan_out_max", "fan-out max", messages.fan_out.map(|(most, _)| most));
    let received = sums(pubsub).received;
    let told = received.told > 0;
    let control = number(told.then(|| share(received.control(), all.delivered + all.others)).flatten());
    let what = "ids announced, asked for and declined, grafts and prunes, as received";
    facts.add_with("control_per_delivery", "control per delivery", control, what);
    facts
}

fn notes(pubsub: &Pubsub, all: &Totals, report: &mut Report) {
    let messages = &pubsub.messages;
    let mut warn = |n: u64, one: &str, many: &str| {
        if n > 0 {
            report.note(Tone::Warn, plural(n, one, many));
        }
    };
    warn(
        messages.all.iter().filter(|message| message.published_ns.is_none()).count() as u64,
        "message has no publish on record: its deliveries have no latency, and nobody knows who should have got it",
        "messages have no publish on record: their deliveries have no latency, and nobody knows who should have got them",
    );
    warn(
        all.latencies_ns.iter().filter(|&&ns| ns < 0.0).count() as u64,
        "delivery is before its publish: the clocks of instances disagree, and latencies are no better than they",
        "deliveries are before their publishes: the clocks of instances disagree, and latencies are no better than they",
    );
    warn(
        pubsub.silent,
        "instance wrote no trace: what it got and missed is not known and not counted",
        "instances wrote no trace: what they got and missed is not known and not counted",
    );
    let filtered = pubsub.routers.iter().filter(|router| !router.whole).count() as u64;
    warn(
        filtered,
        "router wrote publishes, deliveries, grafts and prunes only: its duplicates and RPCs are not known",
        "routers wrote publishes, deliveries, grafts and prunes only: their duplicates and RPCs are not known",
    );
    warn(
        messages.inferred,
        "router did not say when it subscribed: it counts from its first graft, or the first message that it delivered",
        "routers did not say when they subscribed: they count from their first graft, or the first message that they delivered",
    );
    warn(
        all.others,
        "delivery is to a router that was not known to be subscribed at the publish; it is in no ratio and no latency",
        "deliveries are to routers that were not known to be subscribed at the publish; they are in no ratio and no latency",
    );
    warn(
        messages.again,
        "delivery is of what the router had delivered before, and counts once",
        "deliveries are of what the router had delivered before, and count once",
    );
    if let Some(topic) = &pubsub.options.topic {
        let text = format!("messages and meshes are those of topic `{topic}`; RPCs are those of all topics");
        report.note(Tone::Plain, text);
    }
    let apart = costs::apart(pubsub);
    if !apart.is_empty() {
        let text = format!("tracers counted other totals than their traces have: {}", apart.join(", "));
        report.note(Tone::Warn, text);
    }
}
