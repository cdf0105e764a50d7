/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COMMANDS_H
#define COMMANDS_H

/*
 * Every command of the control socket (interface.md 3) and of tailnetctl (interface.md 8), in the order of tailnetctl's
 * help. Made from it: the daemon's table, tailnetctl's table and help, the completions (make completions) and the check
 * that both manuals name each.  A new command is a row here and its handler: in tailnetd/control, or for a QUERY in
 * mapd/readers/query.c.  tailnetctl needs a function of its own only when none of the general ones does.
 *
 *	C(id, name, class, min, max, tail, usage, run, args, help, words)
 *
 *	id	command_ID() is the parent's handler; of a QUERY answer_ID() is mapd's, and IPC_Q_ID its number
 *	class	R, W or ROOT: who may (IPC_CLASS_class)
 *	min,max	number of arguments
 *	tail	what the handler gets: SPLIT the arguments; WHOLE all behind the name as one; QUERY the same, which goes
 *		to mapd unsplit: arguments of class R only
 *	usage	arguments on the socket
 *	run	tailnetctl's function.  The general one, cmd_ok(), sends the arguments, which are of `words`, and prints
 *		errors only
 *	args	arguments of tailnetctl
 *	words	for completion, separated by commas: WORD[>VALUE|VALUE..][:explanation].  A VALUE in capitals is a kind:
 *		FILE, NUMBER, TEXT.  WORD= takes its value in the same word
 *
 *	T(name, run, args, help, words): a command of tailnetctl alone
 */
#define COMMANDS(C, T) \
	C(status, "status", R, 0, 0, SPLIT, "", cmd_status, "[--check]", \
	    "show the state; with --check report it as the exit code", "--check:report the state as the exit code") \
	C(netmap, "netmap", R, 0, 0, QUERY, "", cmd_netmap, "", "show the network map", "") \
	C(peers, "peers", R, 0, 2, QUERY, "[limit=N] [after=ID]", cmd_peers, "[limit=N] [after=ID]", \
	    "list the peers", "limit=:number of peers,after=:only larger IDs") \
	C(peer, "peer", R, 1, 1, QUERY, "NAME|IP|KEY|ID", cmd_peer, "NAME|IP|KEY|ID", "show one peer", "") \
	C(watch, "watch", R, 0, 1, SPLIT, "[netmap]", cmd_watch, "[netmap]", "follow events", "netmap") \
	C(wgconf, "wgconf", R, 0, 1, QUERY, "[private]", cmd_wgconf, "[private] [-o FILE]", \
	    "print a configuration for wg setconf", "private,-o>FILE:write to a file") \
	C(hosts, "hosts", R, 0, 0, QUERY, "", cmd_hosts, "[-o FILE]", "print lines for /etc/hosts", \
	    "-o>FILE:write to a file") \
	C(metrics, "metrics", R, 0, 0, SPLIT, "", cmd_metrics, "[-o FILE]", "print metrics", \
	    "-o>FILE:write to a file") \
	C(processes, "processes", R, 0, 0, SPLIT, "", cmd_processes, "", \
	    "show the daemon's processes and their sandboxes", "") \
	C(login, "login", W, 0, 3, SPLIT, "[interactive] [ephemeral] [auth-key=KEY]", cmd_login, \
	    "[interactive] [ephemeral] [--auth-key-file FILE|-] [--no-wait] [--timeout SECONDS] [--qr]", "log in", \
	    "interactive,ephemeral,--auth-key-file>FILE:file with a pre-auth key,--no-wait:do not wait," \
	    "--timeout>NUMBER:seconds,--qr:show a QR code") \
	C(logout, "logout", W, 0, 1, SPLIT, "[force]", cmd_logout, "[force]", \
	    "log out; with force also when the server cannot be reached", "force") \
	C(pause, "pause", W, 0, 0, SPLIT, "", cmd_ok, "", "stop all network activity", "") \
	C(unpause, "unpause", W, 0, 0, SPLIT, "", cmd_ok, "", "resume network activity", "") \
	C(reconnect, "reconnect", W, 0, 0, SPLIT, "", cmd_ok, "", "close all connections and dial again", "") \
	C(set, "set", W, 1, 1, WHOLE, \
	    "hostinfo JSON | netinfo JSON | endpoints auto | endpoints [IP:PORT[/TYPE]...] | disco-key KEY", \
	    cmd_set, "hostinfo|netinfo JSON|-, endpoints auto|[IP:PORT[/TYPE]...], disco-key KEY", \
	    "set what this host reports", "hostinfo>-,netinfo>-,endpoints>auto,disco-key>TEXT") \
	C(server_key, "server-key", R, 0, 2, SPLIT, "[accept mkey:HEX]", cmd_server_key, "[accept KEY]", \
	    "show the server key, or accept another", "accept") \
	C(log, "log", W, 1, 1, SPLIT, "error|warn|info|debug", cmd_ok, "error|warn|info|debug", \
	    "set the daemon's log level", "error,warn,info,debug") \
	C(shutdown, "shutdown", W, 0, 0, SPLIT, "", cmd_ok, "", "stop the daemon", "") \
	T("wait", cmd_wait, "[--for authenticated|synchronized|url] [--timeout SECONDS]", "wait for a state", \
	    "--for>authenticated|synchronized|url:state to wait for,--timeout>NUMBER:seconds") \
	C(doctor, "doctor", W, 0, 0, SPLIT, "", cmd_doctor, "", "try each step to the server", "")

#endif
