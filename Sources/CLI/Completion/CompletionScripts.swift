/// What the shells load. Each script only asks `kguard __complete` and hands over the answer, so that none of them goes stale.
enum CompletionScripts {
  static let bash = #"""
    # bash completion for kguard
    _kguard() {
      local line=${COMP_LINE:0:COMP_POINT} piece flags word value i
      local -a words=() found=() lines=()
      # bash cuts words at = and : too; they are put together again.
      for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        if ((i == 0)) || [[ $line == [[:space:]]* ]]; then
          line=${line#"${line%%[![:space:]]*}"}
          words+=("")
        fi
        if ((i == COMP_CWORD)); then piece=$line; fi
        words[${#words[@]} - 1]+=$piece
        line=${line#*"$piece"}
      done
      words=("${words[@]//[\"\'\\]/}")
      words[0]=${words[0]/#\~\//"$HOME/"}
      value=${words[${#words[@]} - 1]}
      mapfile -t lines < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
      flags=" ${lines[0]-} "
      local before=""
      if [[ $value == --*=* ]]; then
        before=${value%%=*}=
        value=${value#*=}
      fi
      COMPREPLY=()
      for word in "${lines[@]:1}"; do
        word=${word%%$'\t'*}
        if [[ $word == "$value"* ]]; then
          COMPREPLY+=("$word")
        elif [[ $flags == *" ids "* && $word == *"$value"* ]]; then
          found+=("$word")
        fi
      done
      # People type the end of an id.
      if ((${#COMPREPLY[@]} == 0 && ${#found[@]} == 1)); then COMPREPLY=("${found[@]}"); fi
      if [[ $flags == *" files "* ]]; then
        mapfile -t found < <(compgen -f -- "$value")
      elif [[ $flags == *" directories "* ]]; then
        mapfile -t found < <(compgen -d -- "$value")
      else
        found=()
      fi
      if ((${#found[@]} > 0)); then
        compopt -o filenames 2>/dev/null
        COMPREPLY+=("${found[@]}")
      fi
      # What stands before the last = or : stays as it is.
      [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/$before}")
      if [[ $value == *:* && $COMP_WORDBREAKS == *:* ]]; then
        before=${value%"${value##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
      fi
    }
    complete -F _kguard kguard

    """#

  static let zsh = #"""
    #compdef kguard
    # zsh completion for kguard
    _kguard() {
      local -a lines described matcher
      local flags line word
      lines=("${(@f)$("${(Q)words[1]/#\~\//$HOME/}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
      flags=" ${lines[1]} "
      shift lines
      for line in "${lines[@]}"; do
        [[ -n $line ]] || continue
        word=${line%%$'\t'*}
        word=${word//:/\\:}
        if [[ $line == *$'\t'* ]]; then described+=("$word:${line#*$'\t'}"); else described+=("$word"); fi
      done
      [[ $PREFIX == --*=* ]] && compset -P '*='
      # People type the end of an id.
      [[ $flags == *" ids "* ]] && matcher=(-M 'l:|=* r:|=*')
      local result=1
      (( $#described )) && _describe -V 'kguard' described "${matcher[@]}" && result=0
      if [[ $flags == *" files "* ]]; then
        _files && result=0
      elif [[ $flags == *" directories "* ]]; then
        _files -/ && result=0
      fi
      return result
    }
    if [[ ${funcstack[1]} == _kguard ]]; then _kguard "$@"; else compdef _kguard kguard; fi

    """#

  static let fish = #"""
    # fish completion for kguard
    function __kguard_complete
      set -l words (commandline -opc)
      set -l current (commandline -ct)
      set -l lines ($words[1] __complete $words[2..] "$current" 2>/dev/null)
      set -l prefix (string match -r -- '^--[^=]+=' "$current"; or echo)
      set -l value (string replace -r -- '^--[^=]+=' '' "$current")
      for line in $lines[2..]
        echo $prefix$line
      end
      if string match -q -- '*files*' "$lines[1]"
        for path in (__fish_complete_path "$value")
          echo $prefix$path
        end
      else if string match -q -- '*directories*' "$lines[1]"
        for path in (__fish_complete_directories "$value")
          echo $prefix$path
        end
      end
    end
    complete -c kguard -f -a '(__kguard_complete)'

    """#
}
