# SPDX-License-Identifier: BSD-2-Clause
#
# envelope.awk - print the fields of an envelope that count, as they are written
#
# usage: awk -f envelope.awk [-v stages="bulk=outbound ..."] envelope.md ENVELOPE
#
# Whose word counts for what is read from the table in envelope.md.  awk cannot
# compute crc32: a block is taken by its lines= alone, as one sealed with "-" is.
# Exit 65: not an envelope, or nothing sealed.

# The value of key= in a Trail; its words are never quoted.
function word(line, key,    at, rest)
{
	at = index(line, " " key "=")
	if (at == 0)
		return ""
	rest = substr(line, at + length(key) + 2)
	return index(rest, " ") ? substr(rest, 1, index(rest, " ") - 1) : rest
}

# Is stage one of a column of the table?
function has(column, stage)
{
	return column == "any" || (column == "stock" && stage ~ /^(lmtp|inbound|auth|moderation|pending|outbound|bounce|command|digest|septet)$/) ||
	    index(", " column ",", ", " stage ",")
}

function counts(name, queue, creation,    stage, head)
{
	stage = queue in stage_of ? stage_of[queue] : queue
	if (name in of_block)
		return has(of_block[name], stage) ||
		    (creation && has(of_creation[name], stage))
	head = "x-" queue "-"
	return name !~ /^x-/ || (index(name, head) == 1 &&
	    length(name) > length(head))
}

# Take over what the block of n lines says; each name replaces its list.
function seal(queue, creation,    i, name, fresh)
{
	for (i = 1; i <= n; i++) {
		name = tolower(substr(block[i], 1, index(block[i], ": ") - 1))
		if (!counts(name, queue, creation))
			continue
		if (!(name in fresh)) {
			fresh[name]
			value[name] = ""
			if (!(name in known))
				order[++names] = name
			known[name]
		}
		value[name] = value[name] block[i] "\n"
	}
	sealed = 1
}

# Everything a Trail needs in order to count; crc32 is at least looked at.
function holds(line,    sum, claim)
{
	sum = line
	sub(/.* crc32=/, "", sum)
	claim = word(line, "claim")
	return word(line, "lines") == n "" &&
	    (sum == "-" || (length(sum) == 8 && sum !~ /[^0-9a-f]/)) &&
	    (claim == "" || claim == open "") &&
	    word(line, "queue") ~ /^[a-z0-9_][a-z0-9._-]*$/ &&
	    word(line, "exit") != ""
}

BEGIN {
	FS = " *[|] *"
	for (i = split(stages, pairs, " "); i > 0; i--) {
		split(pairs[i], pair, "=")
		stage_of[pair[1]] = pair[2]
	}
}

FNR == 1 { file++ }

file == 1 && /^## / { table = /^## Fields/ }
file == 1 && table && NF > 6 && $2 ~ /^[A-Z]/ {
	of_block[tolower($2)] = $3
	of_creation[tolower($2)] = $4
}
file == 1 { next }

FNR == 1 && $0 != "Septet-Envelope: 1" { exit }
!/^[A-Za-z0-9-]+: / || length($0) > 8191 { exit }

tolower($0) ~ /^trail: / {
	if (!holds($0))
		exit
	seal(word($0, "queue"), id && word($0, "claim") == "")
	n = open = id = 0
	next
}

{ block[++n] = $0 }
tolower($0) ~ /^id: / { id = 1 }
tolower($0) ~ /^claim: / {
	open = substr($0, 8) + 0
	if (open <= last)
		exit
	last = open
}

END {
	for (i = 1; i <= names; i++)
		printf "%s", value[order[i]]
	exit sealed ? 0 : 65
}
