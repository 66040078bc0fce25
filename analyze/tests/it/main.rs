//! Questions to datasets that the tests write as the tables' definitions say.

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod dataset;
#[cfg(test)]
mod graph;
#[cfg(test)]
mod graphs;
#[cfg(test)]
mod lookups;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod many;
#[cfg(test)]
mod measures;
#[cfg(test)]
mod pubsub;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod stats;
