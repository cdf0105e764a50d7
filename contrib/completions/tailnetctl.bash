# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
# bash completion for tailnetctl(8), made by `make completions`

_tailnetctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd='' words='' files='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s) ((i++)) ;;
		-t) ((i++)) ;;
		-*) ;;
		*) cmd=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $cmd in
	'') words="-j -q -V -s -t status netmap peers peer watch wgconf hosts metrics processes login logout pause unpause reconnect set server-key log shutdown wait doctor" ;;
	status) words="--check" ;;
	peers) words="limit= after=" ;;
	watch) words="netmap" ;;
	wgconf) words="private -o" ;;
	hosts) words="-o" ;;
	metrics) words="-o" ;;
	login) words="interactive ephemeral --auth-key-file --no-wait --timeout --qr" ;;
	logout) words="force" ;;
	set) words="hostinfo netinfo endpoints disco-key" ;;
	server-key) words="accept" ;;
	log) words="error warn info debug" ;;
	wait) words="--for --timeout" ;;
	esac
	case "$cmd $prev" in
	" -s") files=1 ;;
	" -t") words="" ;;
	"wgconf -o") files=1 ;;
	"hosts -o") files=1 ;;
	"metrics -o") files=1 ;;
	"login --auth-key-file") files=1 ;;
	"login --timeout") words="" ;;
	"set hostinfo") words="-" ;;
	"set netinfo") words="-" ;;
	"set endpoints") words="auto" ;;
	"set disco-key") words="" ;;
	"wait --for") words="authenticated synchronized url" ;;
	"wait --timeout") words="" ;;
	esac
	if [[ -n $files ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -F _tailnetctl tailnetctl
