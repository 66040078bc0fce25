//! The handle of a task that owns a swarm.

use std::time::Duration;

use tg_sdk::Result;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Asks a task for things; the task gets orders and answers each.
#[derive(Debug)]
pub struct Handle<Order, Done> {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<Done>,
    /// Who asks waits no longer than this.
    patience: Duration,
}

impl<Order: Send + Sync + 'static, Done> Handle<Order, Done> {
    /// Starts the task that `run` makes of the inbox.
    pub fn start<Task>(patience: Duration, run: impl FnOnce(mpsc::Receiver<Order>) -> Task) -> Self
    where
        Task: Future<Output = Done> + Send + 'static,
        Done: Send + 'static,
    {
        let (orders, inbox) = mpsc::channel(16);
        Self { orders, task: tokio::spawn(run(inbox)), patience }
    }

    /// Gives an order and waits for the answer.
    ///
    /// # Errors
    ///
    /// If the task is gone, or does not answer in time.
    pub async fn ask<Answer>(&self, order: impl FnOnce(oneshot::Sender<Answer>) -> Order) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await?;
        Ok(tokio::time::timeout(self.patience, answer).await??)
    }

    /// Takes no more orders, and waits for the end of the task.
    ///
    /// # Errors
    ///
    /// If it panicked, or does not end in time.
    pub async fn stop(self) -> Result<Done> {
        drop(self.orders);
        Ok(tokio::time::timeout(self.patience, self.task).await??)
    }
}
