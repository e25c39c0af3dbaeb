//! What is said to brokers and heard of them: clients, members of groups, topics, and what is
//! written for good.

pub mod login;

pub mod client;

pub mod topics;

pub mod producer;

pub mod append;

pub mod rules_topic;

pub mod identity;

pub mod group;

pub mod known_again;

pub mod loss;

pub mod replaced;

pub mod transactions;

pub mod sink;

pub mod ends;

pub mod tail;
