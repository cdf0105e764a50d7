/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NAMES_H
#define NAMES_H

#include "netmap_fields.h"

/*
 * Every member name of protocol.md E and F; those of netmap_fields.h follow them.  Order matters only for size: the
 * first 223 take one byte in a packed object, so the names that every peer has are first.
 */
#define NAMES(N, T) \
	/* Node, E.7 */ \
	N(ID) N(StableID) N(Name) N(User) N(Sharer) N(Key) N(KeyExpiry) N(KeySignature) N(Machine) N(DiscoKey) \
	N(Addresses) N(AllowedIPs) N(Endpoints) N(DERP) N(HomeDERP) N(Hostinfo) N(Created) N(Cap) N(Tags) \
	N(PrimaryRoutes) N(LastSeen) N(Online) N(MachineAuthorized) N(Capabilities) N(CapMap) N(UnsignedPeerAPIOnly) \
	N(ComputedName) N(ComputedNameWithHost) N(DataPlaneAuditLogID) N(Expired) N(SelfNodeV4MasqAddrForThisPeer) \
	N(SelfNodeV6MasqAddrForThisPeer) N(IsWireGuardOnly) N(IsJailed) N(ExitNodeDNSResolvers) \
	/* Hostinfo, F.1 */ \
	N(IPNVersion) N(FrontendLogID) N(BackendLogID) N(OS) N(OSVersion) N(Container) N(Env) N(Distro) \
	N(DistroVersion) N(DistroCodeName) N(App) N(Desktop) N(Package) N(DeviceModel) N(PushDeviceToken) \
	N(Hostname) N(ShieldsUp) N(ShareeNode) N(Userspace) N(UserspaceRouter) N(AppConnector) N(PeerRelay) \
	N(Location) N(StateEncrypted) N(NoLogsNoSupport) N(RemoteConfig) N(WireIngress) N(IngressEnabled) \
	N(AllowsUpdate) N(GoArch) N(GoArchVar) N(GoVersion) N(RoutableIPs) N(RequestTags) N(WoLMACs) N(Services) \
	N(NetInfo) N(sshHostKeys) N(Cloud) N(ServicesHash) N(ExitNodeID) N(TPM) N(Country) N(CountryCode) N(City) \
	N(CityCode) N(Latitude) N(Longitude) N(Priority) N(Manufacturer) N(Vendor) N(Model) N(FirmwareVersion) \
	N(SpecRevision) N(FamilyIndicator) N(Proto) N(Port) N(Description) \
	/* NetInfo, F.2 */ \
	N(MappingVariesByDestIP) N(WorkingIPv6) N(OSHasIPv6) N(WorkingUDP) N(WorkingICMPv4) N(UPnP) N(PMP) N(PCP) \
	N(HavePortMap) N(HairPinning) N(PreferredDERP) N(LinkType) N(DERPLatency) N(FirewallMode) \
	/* UserProfile, FilterRule, Resolver, E.9 */ \
	N(LoginName) N(DisplayName) N(ProfilePicURL) N(Groups) N(SrcIPs) N(SrcBits) N(DstPorts) N(IPProto) \
	N(CapGrant) N(IP) N(Bits) N(Ports) N(First) N(Last) N(Dsts) N(Caps) N(Addr) N(BootstrapResolution) \
	N(UseWithExitNode) \
	/* PeerChange, E.6 */ \
	N(NodeID) N(DERPRegion) \
	/* DERPMap, E.8 */ \
	N(HomeParams) N(RegionScore) N(Regions) N(omitDefaultRegions) N(RegionID) N(RegionCode) N(RegionName) \
	N(Avoid) N(NoMeasureNoHome) N(Nodes) N(HostName) N(CertName) N(IPv4) N(IPv6) N(STUNPort) N(STUNOnly) \
	N(DERPPort) N(InsecureForTests) N(STUNTestIP) N(CanPort80) \
	/* DNSConfig, E.9 */ \
	N(Resolvers) N(Routes) N(FallbackResolvers) N(Domains) N(Proxied) N(Nameservers) N(CertDomains) \
	N(ExtraRecords) N(ExitNodeFilteredSet) N(TempCorpIssue13969) N(Type) N(Value) \
	/* SSHPolicy, E.9 */ \
	N(rules) N(ruleExpires) N(principals) N(sshUsers) N(action) N(acceptEnv) N(node) N(nodeIP) N(userLogin) \
	N(any) N(pubKeys) N(message) N(reject) N(accept) N(sessionDuration) N(allowAgentForwarding) \
	N(holdAndDelegate) N(allowLocalPortForwarding) N(allowRemotePortForwarding) N(recorders) \
	N(onRecordingFailure) N(RejectSessionWithMessage) N(TerminateSessionWithMessage) N(NotifyURL) \
	/* DisplayMessages, ClientVersion, TKAInfo, ControlDialPlan, PingRequest, Debug */ \
	N(Title) N(Text) N(Severity) N(ImpactsConnectivity) N(PrimaryAction) N(URL) N(Label) N(RunningLatest) \
	N(LatestVersion) N(UrgentSecurityUpdate) N(Notify) N(NotifyText) N(Head) N(Disabled) N(Candidates) \
	N(ACEHost) N(DialStartDelaySec) N(DialTimeoutSec) N(URLIsNoise) N(Log) N(Types) N(Payload) N(Exit) \
	N(DisableLogTail) N(SleepSeconds) \
	/* MapResponse, E.5 */ \
	N(MapSessionHandle) N(Seq) N(KeepAlive) N(PingRequest) N(PopBrowserURL) N(Peers) N(PeersChanged) \
	N(PeersRemoved) N(PeersChangedPatch) N(PeerSeenChange) N(OnlineChange) N(PacketFilters) N(Debug) \
	N(ControlDialPlan) \
	/* values and names that are not identifiers */ \
	T(star, "*") T(base, "base")

enum name_id {
	NM_NONE,
#define N(x) NM_##x,
#define T(x, text) NM_T_##x,
#define F(member, name, type, none, kind) NM_##member,
	NAMES(N, T)
	NETMAP_FIELDS(F)
#undef N
#undef T
#undef F
	NM_COUNT
};

#endif
