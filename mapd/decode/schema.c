/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "schema.h"

typedef const uint8_t members[NM_COUNT];

/* Tables, not code: */
/* clang-format off */

/* protocol.md E.7 */
static members node = {
	[NM_ID] = TY_I64, [NM_StableID] = TY_STR, [NM_Name] = TY_FQDN, [NM_User] = TY_I64, [NM_Sharer] = TY_I64,
	[NM_Key] = TY_NODEKEY, [NM_KeyExpiry] = TY_TIME, [NM_KeySignature] = TY_B64, [NM_Machine] = TY_MKEY,
	[NM_DiscoKey] = TY_DISCO, [NM_Addresses] = TY_ROUTES, [NM_AllowedIPs] = TY_ROUTES,
	[NM_Endpoints] = TY_ENDPOINTS, [NM_DERP] = TY_STR, [NM_HomeDERP] = TY_I64, [NM_Hostinfo] = TY_HOSTINFO,
	[NM_Created] = TY_TIME, [NM_Cap] = TY_I64, [NM_Tags] = TY_ARR_STR, [NM_PrimaryRoutes] = TY_ROUTES,
	[NM_LastSeen] = TY_TIME, [NM_Online] = TY_BOOL, [NM_MachineAuthorized] = TY_BOOL,
	[NM_Capabilities] = TY_ARR_STR, [NM_CapMap] = TY_CAPMAP, [NM_UnsignedPeerAPIOnly] = TY_BOOL,
	[NM_ComputedName] = TY_STR, [NM_ComputedNameWithHost] = TY_STR, [NM_DataPlaneAuditLogID] = TY_STR,
	[NM_Expired] = TY_BOOL, [NM_SelfNodeV4MasqAddrForThisPeer] = TY_IP,
	[NM_SelfNodeV6MasqAddrForThisPeer] = TY_IP, [NM_IsWireGuardOnly] = TY_BOOL, [NM_IsJailed] = TY_BOOL,
	[NM_ExitNodeDNSResolvers] = TY_RESOLVERS,
};

/* E.6 */
static members peerchange = {
	[NM_NodeID] = TY_I64, [NM_DERPRegion] = TY_I64, [NM_Cap] = TY_I64, [NM_CapMap] = TY_CAPMAP,
	[NM_Endpoints] = TY_ENDPOINTS, [NM_Key] = TY_NODEKEY, [NM_KeySignature] = TY_B64, [NM_DiscoKey] = TY_DISCO,
	[NM_Online] = TY_BOOL, [NM_LastSeen] = TY_TIME, [NM_KeyExpiry] = TY_TIME,
};

/* F.1 */
static members hostinfo = {
	[NM_IPNVersion] = TY_STR, [NM_FrontendLogID] = TY_STR, [NM_BackendLogID] = TY_STR, [NM_OS] = TY_STR,
	[NM_OSVersion] = TY_STR, [NM_Container] = TY_BOOL, [NM_Env] = TY_STR, [NM_Distro] = TY_STR,
	[NM_DistroVersion] = TY_STR, [NM_DistroCodeName] = TY_STR, [NM_App] = TY_STR, [NM_Desktop] = TY_BOOL,
	[NM_Package] = TY_STR, [NM_DeviceModel] = TY_STR, [NM_PushDeviceToken] = TY_STR, [NM_Hostname] = TY_STR,
	[NM_ShieldsUp] = TY_BOOL, [NM_ShareeNode] = TY_BOOL, [NM_Userspace] = TY_BOOL, [NM_UserspaceRouter] = TY_BOOL,
	[NM_AppConnector] = TY_BOOL, [NM_PeerRelay] = TY_BOOL, [NM_Location] = TY_LOCATION,
	[NM_StateEncrypted] = TY_BOOL, [NM_NoLogsNoSupport] = TY_BOOL, [NM_RemoteConfig] = TY_BOOL,
	[NM_WireIngress] = TY_BOOL, [NM_IngressEnabled] = TY_BOOL, [NM_AllowsUpdate] = TY_BOOL, [NM_Machine] = TY_STR,
	[NM_GoArch] = TY_STR, [NM_GoArchVar] = TY_STR, [NM_GoVersion] = TY_STR, [NM_RoutableIPs] = TY_ROUTES,
	[NM_RequestTags] = TY_ARR_STR, [NM_WoLMACs] = TY_ARR_STR, [NM_Services] = TY_SERVICES,
	[NM_NetInfo] = TY_NETINFO, [NM_sshHostKeys] = TY_ARR_STR, [NM_Cloud] = TY_STR, [NM_ServicesHash] = TY_STR,
	[NM_ExitNodeID] = TY_STR, [NM_TPM] = TY_TPM,
};

static members location = {
	[NM_Country] = TY_STR, [NM_CountryCode] = TY_STR, [NM_City] = TY_STR, [NM_CityCode] = TY_STR,
	[NM_Latitude] = TY_F64, [NM_Longitude] = TY_F64, [NM_Priority] = TY_I64,
};

static members tpm = {
	[NM_Manufacturer] = TY_STR, [NM_Vendor] = TY_STR, [NM_Model] = TY_I64, [NM_FirmwareVersion] = TY_U64,
	[NM_SpecRevision] = TY_I64, [NM_FamilyIndicator] = TY_STR,
};

static members service = { [NM_Proto] = TY_STR, [NM_Port] = TY_U16, [NM_Description] = TY_STR };

/* F.2 */
static members netinfo = {
	[NM_MappingVariesByDestIP] = TY_BOOL, [NM_WorkingIPv6] = TY_BOOL, [NM_OSHasIPv6] = TY_BOOL,
	[NM_WorkingUDP] = TY_BOOL, [NM_WorkingICMPv4] = TY_BOOL, [NM_UPnP] = TY_BOOL, [NM_PMP] = TY_BOOL,
	[NM_PCP] = TY_BOOL, [NM_HavePortMap] = TY_BOOL, [NM_PreferredDERP] = TY_I64, [NM_LinkType] = TY_STR,
	[NM_DERPLatency] = TY_MAP_F64, [NM_FirewallMode] = TY_STR,
};

/* E.8 */
static members derpmap = {
	[NM_HomeParams] = TY_HOMEPARAMS, [NM_Regions] = TY_REGIONS, [NM_omitDefaultRegions] = TY_BOOL,
};
static members homeparams = { [NM_RegionScore] = TY_INTMAP_F64 };
static members region = {
	[NM_RegionID] = TY_I64, [NM_RegionCode] = TY_STR, [NM_RegionName] = TY_STR, [NM_Latitude] = TY_F64,
	[NM_Longitude] = TY_F64, [NM_Avoid] = TY_BOOL, [NM_NoMeasureNoHome] = TY_BOOL, [NM_Nodes] = TY_DERPNODES,
};
static members derpnode = {
	[NM_Name] = TY_STR, [NM_RegionID] = TY_I64, [NM_HostName] = TY_STR, [NM_CertName] = TY_STR,
	[NM_IPv4] = TY_STR, [NM_IPv6] = TY_STR, [NM_STUNPort] = TY_I64, [NM_STUNOnly] = TY_BOOL,
	[NM_DERPPort] = TY_I64, [NM_InsecureForTests] = TY_BOOL, [NM_STUNTestIP] = TY_STR, [NM_CanPort80] = TY_BOOL,
};

/* E.9 */
static members resolver = { [NM_Addr] = TY_STR, [NM_BootstrapResolution] = TY_ARR_IP, [NM_UseWithExitNode] = TY_BOOL };
static members dns = {
	[NM_Resolvers] = TY_RESOLVERS, [NM_Routes] = TY_DNSROUTES, [NM_FallbackResolvers] = TY_RESOLVERS,
	[NM_Domains] = TY_ARR_STR, [NM_Proxied] = TY_BOOL, [NM_Nameservers] = TY_ARR_IP,
	[NM_CertDomains] = TY_ARR_STR, [NM_ExtraRecords] = TY_EXTRARECORDS, [NM_ExitNodeFilteredSet] = TY_ARR_STR,
	[NM_TempCorpIssue13969] = TY_STR,
};
static members extrarecord = { [NM_Name] = TY_STR, [NM_Type] = TY_STR, [NM_Value] = TY_STR };
static members profile = {
	[NM_ID] = TY_I64, [NM_LoginName] = TY_STR, [NM_DisplayName] = TY_STR, [NM_ProfilePicURL] = TY_STR,
	[NM_Groups] = TY_ARR_STR,
};
static members rule = {
	[NM_SrcIPs] = TY_ARR_STR, [NM_SrcBits] = TY_ARR_I64, [NM_DstPorts] = TY_DSTPORTS, [NM_IPProto] = TY_ARR_I64,
	[NM_CapGrant] = TY_CAPGRANTS,
};
static members dstport = { [NM_IP] = TY_STR, [NM_Bits] = TY_I64, [NM_Ports] = TY_PORTRANGE };
static members portrange = { [NM_First] = TY_U16, [NM_Last] = TY_U16 };
static members capgrant = { [NM_Dsts] = TY_ARR_PFX, [NM_Caps] = TY_ARR_STR, [NM_CapMap] = TY_CAPMAP };
static members ssh = { [NM_rules] = TY_SSHRULES };
static members sshrule = {
	[NM_ruleExpires] = TY_TIME, [NM_principals] = TY_SSHPRINCIPALS, [NM_sshUsers] = TY_MAP_STR,
	[NM_action] = TY_SSHACTION, [NM_acceptEnv] = TY_ARR_STR,
};
static members sshprincipal = {
	[NM_node] = TY_STR, [NM_nodeIP] = TY_STR, [NM_userLogin] = TY_STR, [NM_any] = TY_BOOL,
	[NM_pubKeys] = TY_ARR_STR,
};
static members sshaction = {
	[NM_message] = TY_STR, [NM_reject] = TY_BOOL, [NM_accept] = TY_BOOL, [NM_sessionDuration] = TY_I64,
	[NM_allowAgentForwarding] = TY_BOOL, [NM_holdAndDelegate] = TY_STR, [NM_allowLocalPortForwarding] = TY_BOOL,
	[NM_allowRemotePortForwarding] = TY_BOOL, [NM_recorders] = TY_ARR_ENDPOINT,
	[NM_onRecordingFailure] = TY_SSHRECFAIL,
};
static members sshrecfail = {
	[NM_RejectSessionWithMessage] = TY_STR, [NM_TerminateSessionWithMessage] = TY_STR, [NM_NotifyURL] = TY_STR,
};

/* E.5 and what hangs below it */
static members display = {
	[NM_Title] = TY_STR, [NM_Text] = TY_STR, [NM_Severity] = TY_STR, [NM_ImpactsConnectivity] = TY_BOOL,
	[NM_PrimaryAction] = TY_DISPLAYACTION,
};
static members displayaction = { [NM_URL] = TY_STR, [NM_Label] = TY_STR };
static members clientversion = {
	[NM_RunningLatest] = TY_BOOL, [NM_LatestVersion] = TY_STR, [NM_UrgentSecurityUpdate] = TY_BOOL,
	[NM_Notify] = TY_BOOL, [NM_NotifyURL] = TY_STR, [NM_NotifyText] = TY_STR,
};
static members tka = { [NM_Head] = TY_STR, [NM_Disabled] = TY_BOOL };
static members dialplan = { [NM_Candidates] = TY_CANDIDATES };
static members candidate = {
	[NM_IP] = TY_IP, [NM_ACEHost] = TY_STR, [NM_DialStartDelaySec] = TY_F64, [NM_DialTimeoutSec] = TY_F64,
	[NM_Priority] = TY_I64,
};
static members ping = {
	[NM_URL] = TY_STR, [NM_URLIsNoise] = TY_BOOL, [NM_Log] = TY_BOOL, [NM_Types] = TY_STR, [NM_IP] = TY_IP,
	[NM_Payload] = TY_B64,
};
static members debug = { [NM_Exit] = TY_I64, [NM_DisableLogTail] = TY_BOOL, [NM_SleepSeconds] = TY_F64 };
/* Lists that are read element by element have the type of the element: ingest.c does the brackets. */
static members mapresponse = {
	[NM_MapSessionHandle] = TY_STR, [NM_Seq] = TY_I64, [NM_KeepAlive] = TY_BOOL, [NM_PingRequest] = TY_PING,
	[NM_PopBrowserURL] = TY_STR, [NM_Peers] = TY_NODE, [NM_PeersChanged] = TY_NODE,
	[NM_PeersRemoved] = TY_ARR_I64, [NM_PeersChangedPatch] = TY_PEERCHANGE, [NM_PeerSeenChange] = TY_INTMAP_BOOL,
	[NM_OnlineChange] = TY_INTMAP_BOOL, [NM_PacketFilters] = TY_CHUNKS, [NM_Debug] = TY_DEBUG,
	[NM_ControlDialPlan] = TY_DIALPLAN,
#define F(member, name, type, none, kind) [NM_##member] = TY_##type,
	NETMAP_FIELDS(F)
#undef F
};

#define SCALAR(k)	{ JK_##k, TY_NONE, 0, NULL_MEMBERS }
#define OBJECT(m)	{ JK_OBJ, TY_NONE, 0, m }
#define LIST(e, max)	{ JK_ARR, e, max, NULL_MEMBERS }
#define MAP(e, max)	{ JK_MAP, e, max, NULL_MEMBERS }
#define INTMAP(e)	{ JK_INTMAP, e, 0, NULL_MEMBERS }
#define NULL_MEMBERS	((const uint8_t *)0)

const struct schema_type schema_types[TY_COUNT] = {
	[TY_ANY] = SCALAR(ANY), [TY_STR] = SCALAR(STR), [TY_FQDN] = SCALAR(FQDN), [TY_BOOL] = SCALAR(BOOL),
	[TY_I64] = SCALAR(I64), [TY_U64] = SCALAR(U64), [TY_U16] = SCALAR(U16), [TY_F64] = SCALAR(F64),
	[TY_TIME] = SCALAR(TIME), [TY_PFX] = SCALAR(PFX), [TY_IP] = SCALAR(IP), [TY_ENDPOINT] = SCALAR(ENDPOINT),
	[TY_NODEKEY] = SCALAR(NODEKEY), [TY_MKEY] = SCALAR(MKEY), [TY_DISCO] = SCALAR(DISCO), [TY_B64] = SCALAR(B64),
	[TY_ARR_ANY] = LIST(TY_ANY, 0), [TY_ARR_STR] = LIST(TY_STR, 0), [TY_ARR_I64] = LIST(TY_I64, 0),
	[TY_ARR_PFX] = LIST(TY_PFX, 0), [TY_ARR_IP] = LIST(TY_IP, 0), [TY_ARR_ENDPOINT] = LIST(TY_ENDPOINT, 0),
	[TY_MAP_STR] = MAP(TY_STR, 0), [TY_MAP_F64] = MAP(TY_F64, 0), [TY_INTMAP_BOOL] = INTMAP(TY_BOOL),
	[TY_INTMAP_F64] = INTMAP(TY_F64), [TY_NODE] = OBJECT(node), [TY_PEERCHANGE] = OBJECT(peerchange),
	[TY_ROUTES] = LIST(TY_PFX, 1024), [TY_ENDPOINTS] = LIST(TY_ENDPOINT, 64), [TY_CAPMAP] = MAP(TY_CAPVALUES, 0),
	[TY_CAPVALUES] = LIST(TY_ANY, 0), [TY_RESOLVER] = OBJECT(resolver), [TY_RESOLVERS] = LIST(TY_RESOLVER, 0),
	[TY_HOSTINFO] = OBJECT(hostinfo), [TY_LOCATION] = OBJECT(location), [TY_TPM] = OBJECT(tpm),
	[TY_SERVICE] = OBJECT(service), [TY_SERVICES] = LIST(TY_SERVICE, 0), [TY_NETINFO] = OBJECT(netinfo),
	[TY_DERPMAP] = OBJECT(derpmap), [TY_HOMEPARAMS] = OBJECT(homeparams), [TY_REGION] = OBJECT(region),
	[TY_REGIONS] = INTMAP(TY_REGION), [TY_DERPNODE] = OBJECT(derpnode), [TY_DERPNODES] = LIST(TY_DERPNODE, 0),
	[TY_DNS] = OBJECT(dns), [TY_DNSROUTES] = MAP(TY_RESOLVERS, 4096), [TY_EXTRARECORD] = OBJECT(extrarecord),
	[TY_EXTRARECORDS] = LIST(TY_EXTRARECORD, 0), [TY_PROFILE] = OBJECT(profile), [TY_RULE] = OBJECT(rule),
	[TY_RULES] = LIST(TY_RULE, 0), [TY_CHUNKS] = MAP(TY_RULES, 0), [TY_DSTPORT] = OBJECT(dstport),
	[TY_DSTPORTS] = LIST(TY_DSTPORT, 0), [TY_PORTRANGE] = OBJECT(portrange), [TY_CAPGRANT] = OBJECT(capgrant),
	[TY_CAPGRANTS] = LIST(TY_CAPGRANT, 0), [TY_SSH] = OBJECT(ssh), [TY_SSHRULE] = OBJECT(sshrule),
	[TY_SSHRULES] = LIST(TY_SSHRULE, 0), [TY_SSHPRINCIPAL] = OBJECT(sshprincipal),
	[TY_SSHPRINCIPALS] = LIST(TY_SSHPRINCIPAL, 0), [TY_SSHACTION] = OBJECT(sshaction),
	[TY_SSHRECFAIL] = OBJECT(sshrecfail), [TY_DISPLAY] = OBJECT(display), [TY_DISPLAYS] = MAP(TY_DISPLAY, 0),
	[TY_DISPLAYACTION] = OBJECT(displayaction), [TY_CLIENTVERSION] = OBJECT(clientversion),
	[TY_TKA] = OBJECT(tka), [TY_DIALPLAN] = OBJECT(dialplan), [TY_CANDIDATE] = OBJECT(candidate),
	[TY_CANDIDATES] = LIST(TY_CANDIDATE, 0), [TY_PING] = OBJECT(ping), [TY_DEBUG] = OBJECT(debug),
	[TY_MAPRESPONSE] = OBJECT(mapresponse),
};
