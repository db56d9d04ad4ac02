package event

// The ids of the fields, in the order of the table.
const (
	FieldTimestamp FieldID = iota
	FieldECSVersion
	FieldEventID
	FieldEventDataset
	FieldEventKind
	FieldEventAction
	FieldEventCategory
	FieldEventType
	FieldEventOutcome
	FieldEventDuration
	FieldEventReason
	FieldEventIngested
	FieldLogLevel
	FieldLogFilePath
	FieldLogOffset
	FieldMessage
	FieldServiceName
	FieldServiceVersion
	FieldServiceEnvironment
	FieldServiceNode
	FieldServiceTargetName
	FieldServiceTargetType
	FieldTraceID
	FieldSpanID
	FieldParentID
	FieldClientIP
	FieldClientPort
	FieldClientGeoCountry
	FieldClientGeoLocation
	FieldClientASNumber
	FieldClientASName
	FieldDestinationPort
	FieldUserID
	FieldDeviceID
	FieldUserAgent
	FieldUserAgentName
	FieldUserAgentVersion
	FieldUserAgentOS
	FieldUserAgentOSVersion
	FieldUserAgentDevice
	FieldHTTPMethod
	FieldHTTPStatus
	FieldHTTPVersion
	FieldURLPath
	FieldErrorType
	FieldErrorCode
	FieldErrorMessage
	FieldPlatform
	FieldAppVersion
	FieldConnID
	FieldConnAttempt
	FieldConnPrevReason
	FieldConnPrevLife
	FieldConnNode
	FieldConnBoot
	FieldSessionID
	FieldSessionResumed
	FieldHandshakeStage
	FieldCloseCode
	FieldClosePeerCode
	FieldCloseReason
	FieldCloseInitiator
	FieldClosePhase
	FieldCloseClean
	FieldCloseRetry
	FieldRxAge
	FieldHeartbeatPongAge
	FieldHeartbeatMissed
	FieldHeartbeatRTT
	FieldHeartbeatInterval
	FieldQueueBytes
	FieldQueueAge
	FieldQueueDepth
	FieldMessageUnacked
	FieldMessageID
	FieldMessageSeq
	FieldMessageBytes
	FieldMessageDirection
	FieldMessageAttempt
	FieldResumeOffline
	FieldResumeReplayed
	FieldResumeLastAck
	FieldResumeServerSeq
	FieldResumeCrossNode
	FieldServerConnections
	FieldServerHandshakes
	FieldServerMessagesIn
	FieldServerMessagesOut
	FieldRoomID
	FieldTopicKind
	FieldBytesIn
	FieldBytesOut
	FieldMessagesIn
	FieldMessagesOut
	FieldSampleWeight
	FieldPipelineShippedUntil
	FieldAlertID
	FieldAlertState
	FieldAlertSeverity
	FieldAlertKey
	FieldAlertValue
	FieldAlertLimit
	FieldAlertWindow
	FieldAlertFrom
	FieldAlertTo
	FieldAlertFirstEvent
	FieldAlertEvidenceIDs
	FieldAlertEvidenceTop
	FieldAlertSummary
	FieldAlertRunbook
	FieldAlertAnnotations
	FieldAlertStatus
	FieldAlertDegraded
	FieldNotifyState
	FieldNotifyReceiver
	FieldNotifyChannel
	FieldNotifyKind
	FieldNotifyVerdict
	FieldNotifyAttempts
	FieldNotifySentAt
	FieldNotifyAnswer
	FieldNotifyHeld
	FieldNotifyWindow
	FieldNotifyToldAfter
	FieldNotifyGroup
	FieldRuleID
	FieldRuleName
	FieldCloudZone
	FieldOrganizationID
	FieldTLSNotAfter

	numFields = iota
)

// table is the field table of the contract. It is never changed.
var table = [numFields]Field{
	FieldTimestamp:            {FieldTimestamp, "@timestamp", Date, false, Base, "always", "when it happened, not when it was written; RFC 3339, UTC, at least milliseconds"},
	FieldECSVersion:           {FieldECSVersion, "ecs.version", Keyword, false, Base, "always", "version of the Elastic Common Schema: 8.17.0"},
	FieldEventID:              {FieldEventID, "event.id", Keyword, false, Base, "always", "unique and deterministic at the source: <node>-<boot id>-<sequence>; the document id"},
	FieldEventDataset:         {FieldEventDataset, "event.dataset", Keyword, false, Base, "always", "im.connection (lifecycle), im.http (access log), im.message (message outcomes), im.pipeline (watermarks and canaries)"},
	FieldEventKind:            {FieldEventKind, "event.kind", Keyword, false, Base, "always", "event, or alert for what the detector raises"},
	FieldEventAction:          {FieldEventAction, "event.action", Keyword, false, Base, "always", "what happened: one of the actions"},
	FieldEventCategory:        {FieldEventCategory, "event.category", Keyword, true, Base, "always", "ECS category: session, network, authentication, web, process"},
	FieldEventType:            {FieldEventType, "event.type", Keyword, true, Base, "always", "ECS type: start, end, info, connection, denied, protocol, access, change"},
	FieldEventOutcome:         {FieldEventOutcome, "event.outcome", Keyword, false, Base, "always", "success, failure, unknown"},
	FieldEventDuration:        {FieldEventDuration, "event.duration", Long, false, Optional, "on connect, disconnect, http_request", "nanoseconds that the action took: a handshake, a connection's life, a request"},
	FieldEventReason:          {FieldEventReason, "event.reason", Keyword, false, Optional, "on failures", "why: a value of the closed lists"},
	FieldEventIngested:        {FieldEventIngested, "event.ingested", Date, false, Pipeline, "added by the indexer", "when it arrived in the store"},
	FieldLogLevel:             {FieldLogLevel, "log.level", Keyword, false, Base, "always", "trace, debug, info, warn, error, fatal"},
	FieldLogFilePath:          {FieldLogFilePath, "log.file.path", Keyword, false, Pipeline, "added by the shipper", "the file the line came from"},
	FieldLogOffset:            {FieldLogOffset, "log.offset", Long, false, Pipeline, "added by the shipper", "the byte at which the line begins in its file"},
	FieldMessage:              {FieldMessage, "message", Text, false, Base, "always", "one sentence for a person"},
	FieldServiceName:          {FieldServiceName, "service.name", Keyword, false, Base, "always", "who wrote it"},
	FieldServiceVersion:       {FieldServiceVersion, "service.version", Keyword, false, Base, "always", "its version"},
	FieldServiceEnvironment:   {FieldServiceEnvironment, "service.environment", Keyword, false, Base, "always", "production, staging, …"},
	FieldServiceNode:          {FieldServiceNode, "service.node.name", Keyword, false, Base, "always", "the node that wrote it"},
	FieldServiceTargetName:    {FieldServiceTargetName, "service.target.name", Keyword, false, Optional, "on dependency_down, dependency_up", "the dependency"},
	FieldServiceTargetType:    {FieldServiceTargetType, "service.target.type", Keyword, false, Optional, "on dependency_down, dependency_up", "its kind: redis, kafka, elasticsearch"},
	FieldTraceID:              {FieldTraceID, "trace.id", Keyword, false, Base, "always", "W3C trace id, 32 hex digits; the client's where it sent a traceparent"},
	FieldSpanID:               {FieldSpanID, "span.id", Keyword, false, Base, "always", "W3C span id, 16 hex digits"},
	FieldParentID:             {FieldParentID, "parent.id", Keyword, false, Optional, "where the client sent a traceparent", "the span that called, 16 hex digits"},
	FieldClientIP:             {FieldClientIP, "client.ip", IP, false, Optional, "where a client is concerned", "the peer's address, after trusted proxies"},
	FieldClientPort:           {FieldClientPort, "client.port", Long, false, Optional, "where a client is concerned", "the peer's port"},
	FieldClientGeoCountry:     {FieldClientGeoCountry, "client.geo.country_iso_code", Keyword, false, Optional, "where a GeoIP database is configured", "country of the address"},
	FieldClientGeoLocation:    {FieldClientGeoLocation, "client.geo.location", GeoPoint, false, Optional, "where a GeoIP database is configured", "place of the address"},
	FieldClientASNumber:       {FieldClientASNumber, "client.as.number", Long, false, Optional, "where a GeoIP database is configured", "autonomous system of the address"},
	FieldClientASName:         {FieldClientASName, "client.as.organization.name", Keyword, false, Optional, "where a GeoIP database is configured", "organization of the autonomous system"},
	FieldDestinationPort:      {FieldDestinationPort, "destination.port", Long, false, Optional, "where a client is concerned", "the port that was asked for"},
	FieldUserID:               {FieldUserID, "user.id", Keyword, false, Optional, "once known", "the account"},
	FieldDeviceID:             {FieldDeviceID, "device.id", Keyword, false, Optional, "where the client says it", "the device"},
	FieldUserAgent:            {FieldUserAgent, "user_agent.original", Keyword, false, Optional, "where the client says it", "the User-Agent header"},
	FieldUserAgentName:        {FieldUserAgentName, "user_agent.name", Keyword, false, Optional, "where the shipper reads user agents", "browser, bot or library"},
	FieldUserAgentVersion:     {FieldUserAgentVersion, "user_agent.version", Keyword, false, Optional, "where the shipper reads user agents", "its version"},
	FieldUserAgentOS:          {FieldUserAgentOS, "user_agent.os.name", Keyword, false, Optional, "where the shipper reads user agents", "operating system"},
	FieldUserAgentOSVersion:   {FieldUserAgentOSVersion, "user_agent.os.version", Keyword, false, Optional, "where the shipper reads user agents", "its version"},
	FieldUserAgentDevice:      {FieldUserAgentDevice, "user_agent.device.name", Keyword, false, Optional, "where the shipper reads user agents", "device, where the client names one"},
	FieldHTTPMethod:           {FieldHTTPMethod, "http.request.method", Keyword, false, Optional, "on the upgrade request and http_request", "the method"},
	FieldHTTPStatus:           {FieldHTTPStatus, "http.response.status_code", Long, false, Optional, "on the upgrade request and http_request", "the answer's status"},
	FieldHTTPVersion:          {FieldHTTPVersion, "http.version", Keyword, false, Optional, "on the upgrade request and http_request", "1.1, 2"},
	FieldURLPath:              {FieldURLPath, "url.path", Keyword, false, Optional, "on the upgrade request and http_request", "the path"},
	FieldErrorType:            {FieldErrorType, "error.type", Keyword, false, Optional, "on failures", "class of the error"},
	FieldErrorCode:            {FieldErrorCode, "error.code", Keyword, false, Optional, "on failures", "code of the error"},
	FieldErrorMessage:         {FieldErrorMessage, "error.message", Text, false, Optional, "on failures", "the error's words"},
	FieldPlatform:             {FieldPlatform, "im.platform", Keyword, false, Optional, "where the client says it", "ios, android, web, …"},
	FieldAppVersion:           {FieldAppVersion, "im.app.version", Keyword, false, Optional, "where the client says it", "the client's version"},
	FieldConnID:               {FieldConnID, "im.connection.id", Keyword, false, Optional, "on everything in a connection's life", "the connection"},
	FieldConnAttempt:          {FieldConnAttempt, "im.connection.attempt", Long, false, Optional, "on connect, if the client says it", "which try this is"},
	FieldConnPrevReason:       {FieldConnPrevReason, "im.connection.prev_reason", Keyword, false, Optional, "on connect, if the client says it", "close reason of the connection before, of the closed list"},
	FieldConnPrevLife:         {FieldConnPrevLife, "im.connection.prev_life_ms", Long, false, Optional, "on connect, if the client says it", "how long the connection before lived"},
	FieldConnNode:             {FieldConnNode, "im.connection.node", Keyword, false, Optional, "on orphaned", "the node that held the connection"},
	FieldConnBoot:             {FieldConnBoot, "im.connection.boot", Keyword, false, Optional, "on orphaned", "the boot id of that node"},
	FieldSessionID:            {FieldSessionID, "im.session.id", Keyword, false, Optional, "once bound", "the session, which outlives its connections"},
	FieldSessionResumed:       {FieldSessionResumed, "im.session.resumed", Bool, false, Optional, "on connect", "whether the session was continued"},
	FieldHandshakeStage:       {FieldHandshakeStage, "im.handshake.stage", Keyword, false, Optional, "on handshake_failure", "tls, ip, rate, capacity, origin, upgrade, auth, second_factor, hello"},
	FieldCloseCode:            {FieldCloseCode, "im.close.code", Long, false, Optional, "on disconnect", "RFC 6455 close code that was sent; 4000–4999 are ours"},
	FieldClosePeerCode:        {FieldClosePeerCode, "im.close.peer_code", Long, false, Optional, "on disconnect", "close code that the peer sent"},
	FieldCloseReason:          {FieldCloseReason, "im.close.reason", Keyword, false, Optional, "on disconnect", "of the closed list"},
	FieldCloseInitiator:       {FieldCloseInitiator, "im.close.initiator", Keyword, false, Optional, "on disconnect", "client, server, network, proxy"},
	FieldClosePhase:           {FieldClosePhase, "im.close.phase", Keyword, false, Optional, "on disconnect", "handshake, hello, active, resume, drain"},
	FieldCloseClean:           {FieldCloseClean, "im.close.clean", Bool, false, Optional, "on disconnect", "whether both close frames were seen"},
	FieldCloseRetry:           {FieldCloseRetry, "im.close.retry", Keyword, false, Optional, "on disconnect", "what the client was told: resume, backoff, never"},
	FieldRxAge:                {FieldRxAge, "im.rx.age_ms", Long, false, Optional, "on disconnect, heartbeat_timeout", "milliseconds since anything was received"},
	FieldHeartbeatPongAge:     {FieldHeartbeatPongAge, "im.heartbeat.last_pong_age_ms", Long, false, Optional, "on disconnect, heartbeat_timeout", "milliseconds since the last pong"},
	FieldHeartbeatMissed:      {FieldHeartbeatMissed, "im.heartbeat.missed", Long, false, Optional, "on heartbeat_missed, heartbeat_timeout", "how many in a row"},
	FieldHeartbeatRTT:         {FieldHeartbeatRTT, "im.heartbeat.rtt_ms", Float, false, Optional, "on heartbeat, disconnect", "round trip of the last ping"},
	FieldHeartbeatInterval:    {FieldHeartbeatInterval, "im.heartbeat.interval_ms", Long, false, Optional, "on heartbeat events", "the interval between pings"},
	FieldQueueBytes:           {FieldQueueBytes, "im.queue.bytes", Long, false, Optional, "on disconnect, slow_consumer", "bytes waiting to be sent"},
	FieldQueueAge:             {FieldQueueAge, "im.queue.age_ms", Long, false, Optional, "on disconnect, slow_consumer", "age of the oldest waiting message"},
	FieldQueueDepth:           {FieldQueueDepth, "im.queue.depth", Long, false, Optional, "on slow_consumer", "messages waiting to be sent"},
	FieldMessageUnacked:       {FieldMessageUnacked, "im.message.unacked", Long, false, Optional, "on disconnect", "messages sent and not acknowledged"},
	FieldMessageID:            {FieldMessageID, "im.message.id", Keyword, false, Optional, "on message events", "the message"},
	FieldMessageSeq:           {FieldMessageSeq, "im.message.seq", Long, false, Optional, "on message events", "its number in the conversation"},
	FieldMessageBytes:         {FieldMessageBytes, "im.message.bytes", Long, false, Optional, "on message events", "its size"},
	FieldMessageDirection:     {FieldMessageDirection, "im.message.direction", Keyword, false, Optional, "on message events", "in, out"},
	FieldMessageAttempt:       {FieldMessageAttempt, "im.message.attempt", Long, false, Optional, "on message events", "which try of delivery"},
	FieldResumeOffline:        {FieldResumeOffline, "im.resume.offline_ms", Long, false, Optional, "on resume, resume_failure", "how long the session had no connection"},
	FieldResumeReplayed:       {FieldResumeReplayed, "im.resume.replayed", Long, false, Optional, "on resume", "messages replayed"},
	FieldResumeLastAck:        {FieldResumeLastAck, "im.resume.last_ack_seq", Long, false, Optional, "on resume, resume_failure", "what the client had acknowledged"},
	FieldResumeServerSeq:      {FieldResumeServerSeq, "im.resume.server_seq", Long, false, Optional, "on resume, resume_failure", "what the server had sent"},
	FieldResumeCrossNode:      {FieldResumeCrossNode, "im.resume.cross_node", Bool, false, Optional, "on resume", "whether another node held it before"},
	FieldServerConnections:    {FieldServerConnections, "im.server.connections", Long, false, Optional, "on connection_stats", "connections open now"},
	FieldServerHandshakes:     {FieldServerHandshakes, "im.server.handshakes_pending", Long, false, Optional, "on connection_stats", "handshakes under way now"},
	FieldServerMessagesIn:     {FieldServerMessagesIn, "im.server.messages_in", Long, false, Optional, "on connection_stats", "messages received since the one before"},
	FieldServerMessagesOut:    {FieldServerMessagesOut, "im.server.messages_out", Long, false, Optional, "on connection_stats", "messages sent since the one before"},
	FieldRoomID:               {FieldRoomID, "im.room.id", Keyword, false, Optional, "on join, leave and message events", "the room"},
	FieldTopicKind:            {FieldTopicKind, "im.topic.kind", Keyword, false, Optional, "on message events", "global, room, private"},
	FieldBytesIn:              {FieldBytesIn, "im.bytes.in", Long, false, Optional, "on disconnect", "bytes received in all"},
	FieldBytesOut:             {FieldBytesOut, "im.bytes.out", Long, false, Optional, "on disconnect", "bytes sent in all"},
	FieldMessagesIn:           {FieldMessagesIn, "im.messages.in", Long, false, Optional, "on disconnect", "messages received in all"},
	FieldMessagesOut:          {FieldMessagesOut, "im.messages.out", Long, false, Optional, "on disconnect", "messages sent in all"},
	FieldSampleWeight:         {FieldSampleWeight, "im.sample.weight", Float, false, Optional, "where lines are sampled or folded", "how many events this line stands for; absent = 1"},
	FieldPipelineShippedUntil: {FieldPipelineShippedUntil, "im.pipeline.shipped_until", Date, false, Pipeline, "on watermark", "every line of the node up to this event time has been acknowledged by Kafka"},
	FieldAlertID:              {FieldAlertID, "im.alert.id", Keyword, false, AlertGroup, "on alerts", "hash of rule id, key values and start"},
	FieldAlertState:           {FieldAlertState, "im.alert.state", Keyword, false, AlertGroup, "on alerts", "firing, updated, resolved"},
	FieldAlertSeverity:        {FieldAlertSeverity, "im.alert.severity", Keyword, false, AlertGroup, "on alerts", "info, warn, high, critical"},
	FieldAlertKey:             {FieldAlertKey, "im.alert.key", Flattened, false, AlertGroup, "on alerts", "the key: field names and their values"},
	FieldAlertValue:           {FieldAlertValue, "im.alert.value", Float, false, AlertGroup, "on alerts", "the number compared"},
	FieldAlertLimit:           {FieldAlertLimit, "im.alert.limit", Keyword, false, AlertGroup, "on alerts", "what it was compared with, as in the rule"},
	FieldAlertWindow:          {FieldAlertWindow, "im.alert.window", Keyword, false, AlertGroup, "on alerts", "the rule's window"},
	FieldAlertFrom:            {FieldAlertFrom, "im.alert.from", Date, false, AlertGroup, "on alerts", "start of the spell"},
	FieldAlertTo:              {FieldAlertTo, "im.alert.to", Date, false, AlertGroup, "on resolved", "the moment of resolved"},
	FieldAlertFirstEvent:      {FieldAlertFirstEvent, "im.alert.first_event", Keyword, false, AlertGroup, "where an event made the condition true", "id of that event"},
	FieldAlertEvidenceIDs:     {FieldAlertEvidenceIDs, "im.alert.evidence.ids", Keyword, true, AlertGroup, "on alerts", "ids of events that made it true"},
	FieldAlertEvidenceTop:     {FieldAlertEvidenceTop, "im.alert.evidence.top", Flattened, false, AlertGroup, "where the rule asks for it", "most frequent values by field"},
	FieldAlertSummary:         {FieldAlertSummary, "im.alert.summary", Text, false, AlertGroup, "on alerts", "the rendered summary"},
	FieldAlertRunbook:         {FieldAlertRunbook, "im.alert.runbook", Keyword, false, AlertGroup, "where the rule has one", "where to read on"},
	FieldAlertAnnotations:     {FieldAlertAnnotations, "im.alert.annotations", Flattened, false, AlertGroup, "where the rule has more", "further rendered annotations"},
	FieldAlertStatus:          {FieldAlertStatus, "im.alert.status", Keyword, false, AlertGroup, "on alerts", "enabled, or shadow: kept, not notified"},
	FieldAlertDegraded:        {FieldAlertDegraded, "im.alert.degraded", Bool, false, AlertGroup, "where keys had to share a sketch", "the value may be over-counted"},
	FieldNotifyState:          {FieldNotifyState, "im.notify.state", Keyword, false, AlertGroup, "on notifications", "pending, sent, failed"},
	FieldNotifyReceiver:       {FieldNotifyReceiver, "im.notify.receiver", Keyword, false, AlertGroup, "on notifications", "who is told"},
	FieldNotifyChannel:        {FieldNotifyChannel, "im.notify.channel", Keyword, false, AlertGroup, "on notifications", "wecom, email, aliyun_sms, …"},
	FieldNotifyKind:           {FieldNotifyKind, "im.notify.kind", Keyword, false, AlertGroup, "on notifications", "why: the alert's state, or a repetition"},
	FieldNotifyVerdict:        {FieldNotifyVerdict, "im.notify.verdict", Keyword, false, AlertGroup, "on notifications", "what the provider's last answer meant"},
	FieldNotifyAttempts:       {FieldNotifyAttempts, "im.notify.attempts", Long, false, AlertGroup, "on notifications", "how often it was tried"},
	FieldNotifySentAt:         {FieldNotifySentAt, "im.notify.sent_at", Date, false, AlertGroup, "once accepted", "when the provider accepted it"},
	FieldNotifyAnswer:         {FieldNotifyAnswer, "im.notify.answer", Keyword, false, AlertGroup, "once tried or held back", "the provider's words, or who holds it back"},
	FieldNotifyHeld:           {FieldNotifyHeld, "im.notify.held", Keyword, false, AlertGroup, "once held back", "why, the last time: silenced, inhibited, flapping, acknowledged"},
	FieldNotifyWindow:         {FieldNotifyWindow, "im.notify.window", Keyword, true, AlertGroup, "once held by one", "the maintenance windows that held it: id of the silence; for a weekly one also ID@BEGINNING"},
	FieldNotifyToldAfter:      {FieldNotifyToldAfter, "im.notify.told_after_ms", Long, false, AlertGroup, "on firing, once accepted", "from the alert's first line (im.alert.from) to acceptance"},
	FieldNotifyGroup:          {FieldNotifyGroup, "im.notify.group", Keyword, false, AlertGroup, "where the route groups", "id of the group it is told with"},
	FieldRuleID:               {FieldRuleID, "rule.id", Keyword, false, AlertGroup, "on alerts", "the rule"},
	FieldRuleName:             {FieldRuleName, "rule.name", Keyword, false, AlertGroup, "on alerts", "the rule's title"},
	FieldCloudZone:            {FieldCloudZone, "cloud.availability_zone", Keyword, false, Optional, "where configured", "the zone"},
	FieldOrganizationID:       {FieldOrganizationID, "organization.id", Keyword, false, Optional, "where there are tenants", "the tenant"},
	FieldTLSNotAfter:          {FieldTLSNotAfter, "tls.server.not_after", Date, false, Optional, "on server_start, certificate_expiry", "when the server's certificate ends"},
}
