//! stub
use crate::event::Attribute;
pub const EVENT_TYPE: Attribute = Attribute::Named("eventType");
pub const CORRELATION_ID: Attribute = Attribute::Named("correlationId");
pub const RESOURCE_ID: Attribute = Attribute::Named("resourceId");
