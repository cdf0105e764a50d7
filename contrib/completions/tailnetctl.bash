# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
# bash completion for tailnetctl(8)

_tailnetctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd='' sub='' words='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s) ((i++)) ;;
		-*) ;;
		*) cmd=${COMP_WORDS[i]}; ((i + 1 == COMP_CWORD)) || sub=${COMP_WORDS[i + 1]}; break ;;
		esac
	done
	case $prev in
	-s | -o | --auth-key-file)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--for) cmd=state ;;
	--timeout) cmd=number ;;
	esac
	case $cmd in
	'') words="-j -q -V -s status netmap peers peer watch wgconf hosts metrics processes login logout pause unpause
		reconnect set server-key log shutdown wait doctor" ;;
	status) words="--check" ;;
	peers) words="limit= after=" ;;
	watch) words="netmap" ;;
	wgconf) words="private" ;;
	metrics) words="-o" ;;
	login) words="interactive ephemeral --auth-key-file --no-wait --timeout --qr" ;;
	logout) words="force" ;;
	set)
		case $sub in
		endpoints) words="auto" ;;
		hostinfo | netinfo) words="-" ;;
		disco-key) ;;
		*) words="hostinfo netinfo endpoints disco-key" ;;
		esac ;;
	server-key) words="accept" ;;
	log) words="error warn info debug" ;;
	wait) words="--for --timeout" ;;
	state) words="authenticated synchronized url" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -F _tailnetctl tailnetctl
