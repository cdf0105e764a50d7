# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
# bash completion for tailnetctl(8)

_tailnetctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} cmd= i words
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s) ((i++)) ;;
		-*) ;;
		*) cmd=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $cmd in
	'') words="-j -q -V -s status netmap peers peer watch wgconf hosts metrics processes login logout pause unpause
		reconnect set server-key log shutdown wait doctor" ;;
	status) words="--check" ;;
	peers) words="limit= after=" ;;
	watch) words="netmap" ;;
	wgconf) words="private" ;;
	metrics) words="-o" ;;
	login) words="interactive ephemeral --auth-key-file --no-wait --qr" ;;
	logout) words="force" ;;
	set) words="hostinfo netinfo endpoints disco-key" ;;
	server-key) words="accept" ;;
	log) words="error warn info debug" ;;
	wait) words="--for --timeout authenticated synchronized url" ;;
	*) words= ;;
	esac
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-s | -o | --auth-key-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
	esac
}
complete -F _tailnetctl tailnetctl
