//! What clients see: one folder per area, and what the areas share.

pub mod admin;
pub mod auth;
pub mod body;
pub mod client_address;
pub mod error;
pub mod extract;
pub mod git_http;
pub mod grape;
pub mod health;
pub mod kubernetes;
pub mod layers;
pub mod media_type;
pub mod monitoring;
pub mod openapi;
pub mod pages;
pub mod provisioning;
pub mod rest;
pub mod scim;
pub mod shell;
pub mod storage;
pub mod tasks;
pub mod wire;
