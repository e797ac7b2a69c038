/*
 * The protocol by which a key gets a new text, as making.py, promotion.py, store.py and tending.py carry it out: a database, a store with stages, two
 * workers that rotate and may die at every step, whoever settles the store, the clock, somebody who may revoke the key, and a client.
 * `spin -a`, `cc`, `pan` look at every order in which these can act. tests/tenants/keys/test_protocol_model.py runs it.
 *
 * One transaction is one atomic step, and so is one call to the store. Time is a choice: whatever waits for it may happen whenever its
 * guard allows. A claim lets one settle at a time; who settles and dies is followed by another, who begins anew.
 *
 * Promises (the formulas at the end):
 *   promises       what the store hands out as current verifies (I1); a client that asks again within the overlap is never refused;
 *                  there is one current version; what was abandoned never verifies
 *   comes_to_rest  when nobody dies any more, rows and store come to agree, and stay so
 * and by assertions: what is to become current in the store can be found there.
 *
 * Each of these, defined, is a mistake that is found:
 *   -DFRESH_TEXT     a second try writes a fresh text under the same token, which AWS refuses and a naive store takes
 *   -DTWO_CALLS      AWSCURRENT is taken off one version and then put onto another, instead of moved
 *   -DLATE_OVERLAP   the predecessor is kept verifying in a step after the promotion
 *   -DEARLY_END      the overlap runs from the promotion, not from the time at which the store hands out the successor
 *   -DNO_CATCH_UP    a rotation begins although the store has not followed the last one
 *   -DROWS_FIRST     AWSPENDING is taken off by rows that were read before the store was looked at
 *   -DONE_LOOK       a version is given up as lost by a look that is older than the rows
 *   -DNO_LAST_LOOK   a version is ended while its maker may be at work, and the store is not looked at once more afterwards
 *
 * Not in it: a maker that sleeps through its whole claim between the look at its watch and its call, and then dies. The clock reads
 * every secret back once a day for what nobody has thought of.
 */

#define V 4            /* versions: the first is there from the beginning, three rotations may follow */
#define NOBODY 9
#ifndef CRASHES
#define CRASHES 3
#endif

mtype = { none, pending, current, previous, retired };

/* the database */
mtype stage[V] = none;
byte digest[V];                 /* of which text; 0 is none */
byte made = 1;
bool unsettled, dirty;          /* dirty: something has changed since whoever settles has read the rows */
bool followed = true;
bool revoked;
bool is_late[V];                /* the maker's claim is over, and it lives */
byte again = NOBODY;            /* a version that was ended while its maker's claim was running */

/* the store */
byte at_current, at_pending = NOBODY, at_previous = NOBODY;
byte text[V];                   /* by token; 0 is none */
bool deleted;

/* the rest of the world */
byte texts = 1;
byte crashes = CRASHES;
byte maker[2] = NOBODY;         /* which version a living worker is making */
byte held;                      /* the version whose text the client holds */
bool overlap_runs, asked;       /* whether the client has asked the store since the overlap began */

#define verifies(v) (!revoked && (stage[v] == current || stage[v] == previous) && digest[v] == text[v])
#define one_pending (stage[1] == pending || stage[2] == pending || stage[3] == pending)
#define is_made(v) (maker[0] == v || maker[1] == v)
#define is_overdue(v) (stage[v] == pending && (!is_made(v) || crashes > 0))

#ifdef NO_CATCH_UP
#define may_begin (!revoked && made < V && !one_pending)
#else
#define may_begin (!revoked && made < V && !one_pending && followed)
#endif

inline find(which, where) {     /* inside an atomic step; leaves no trace in the state */
    if
    :: stage[0] == which -> where = 0
    :: stage[1] == which -> where = 1
    :: stage[2] == which -> where = 2
    :: stage[3] == which -> where = 3
    :: else -> where = NOBODY
    fi
}

#define takes_from_a_stranger ((c == NOBODY && !deleted) || (lp != NOBODY && lp != p && lp != c && lp != o) || \
                               (lo != NOBODY && lo != o && lo != c && lo != p))

inline change() { unsettled = true; dirty = true }

inline may_die() {
    if
    :: atomic { crashes > 0 -> crashes--; goto dead }
    :: skip
    fi
}

proctype worker(byte me) {
    byte v, mine, cur, old;
again_:
    do
    :: atomic {
        may_begin -> v = made; made++; texts++; mine = texts; stage[v] = pending; digest[v] = mine; maker[me] = v
       }
       may_die();
       /* The text into the store, read back. A look at the watch comes before: whose claim is over does not call any more. */
       atomic {
        if
        :: is_late[v] -> goto overtaken
        :: else -> text[v] = mine; at_pending = v; deleted = false
        fi
       };
       may_die();
#ifdef FRESH_TEXT
       if
       :: atomic { texts++; text[v] = texts }
       :: skip
       fi;
#endif
       atomic {
        if
        :: stage[v] != pending -> goto overtaken
        :: else
        fi;
        find(previous, old); find(current, cur);
        if
        :: old != NOBODY ->             /* the caller has said that it may go: whoever held it asks the store */
            stage[old] = retired;
            if
            :: held == old -> held = at_current
            :: else
            fi
        :: else
        fi;
#ifdef LATE_OVERLAP
        stage[cur] = retired;
#else
        stage[cur] = previous;
#endif
        stage[v] = current; followed = false; change();
#ifdef EARLY_END
        overlap_runs = true;
#else
        overlap_runs = false;
#endif
        asked = false; maker[me] = NOBODY; old = 0; mine = 0; v = 0
       }
       may_die();
#ifdef LATE_OVERLAP
       atomic { stage[cur] == retired && !revoked -> stage[cur] = previous }
#endif
       cur = 0
    :: atomic { revoked || made == V -> goto over }
    od;
overtaken:
    atomic {
#ifndef NO_LAST_LOOK
        change();
#endif
        maker[me] = NOBODY; v = 0; mine = 0; cur = 0; old = 0
    }
    goto again_;
dead:
    atomic { maker[me] = NOBODY; v = 0; mine = 0; cur = 0; old = 0 }
    goto again_;
over:
    skip
}

proctype settler() {
    byte c, p, o;               /* by the rows: current, pending, previous */
    byte lc, lp, lo;            /* as the store was seen */
    bool moved, newer;          /* newer: the rows were read again after the look */
end:
    do
    :: unsettled ->
again_:
       moved = false; newer = false;
       atomic { find(current, c); find(pending, p); find(previous, o); dirty = false };
       atomic { lc = at_current; lp = at_pending; lo = at_previous };
       /* Rows that are read after the store tell whether a version that they did not know has ended or is on its way. */
       if
       :: takes_from_a_stranger ->
#ifndef ROWS_FIRST
          atomic { find(current, c); find(pending, p); find(previous, o); dirty = false };
          newer = true
#endif
          skip
       :: else
       fi;
       if
       :: c == NOBODY ->        /* revoked: nothing is wanted */
          if
          :: !deleted -> deleted = true; moved = true
          :: else
          fi
       :: else ->
          if
          :: lc != c && lp != c && lo != c ->
             /* Only what bears a stage is shown. The rest is given up as lost, unless the look was older than the rows. */
#ifdef ONE_LOOK
             assert(dirty);
#else
             assert(dirty || newer);
#endif
             moved = true
          :: lc != c && (lp == c || lo == c) ->
#ifdef TWO_CALLS
             at_current = NOBODY;
             may_die();
             atomic { at_previous = lc; at_current = c };
#else
             atomic { at_previous = lc; at_current = c };   /* AWS leaves AWSPREVIOUS where AWSCURRENT was */
#endif
             lo = lc; moved = true;
             may_die()
          :: lc == c -> skip
          fi;
          if
          :: lo != NOBODY && lo != o ->
             atomic { if :: at_previous == lo -> at_previous = NOBODY :: else fi };
             moved = true;
             may_die()
          :: else
          fi;
          if
          :: lp != NOBODY && lp != p ->
             atomic { if :: at_pending == lp -> at_pending = NOBODY :: else fi };
             moved = true;
             may_die()
          :: else
          fi
       fi;
       atomic {
        if
        :: !moved && !dirty && !newer ->
           unsettled = false;
           if
           :: !followed -> followed = true; asked = asked && overlap_runs; overlap_runs = true
           :: else
           fi
        :: else
        fi
       };
       atomic { c = 0; p = 0; o = 0; lc = 0; lp = 0; lo = 0; moved = false; newer = false }
    od;
dead:
    atomic { c = 0; p = 0; o = 0; lc = 0; lp = 0; lo = 0; moved = false; newer = false };
    goto end
}

proctype clock() {
    byte v;
end:
    do
    /* a pending version whose maker has died, or has overslept its claim */
    :: atomic { is_overdue(1) || is_overdue(2) || is_overdue(3) ->
        find(pending, v);
        if
        :: is_made(v) -> crashes--; is_late[v] = true
        :: else
        fi;
        stage[v] = retired; change(); v = 0 }
    /* the end of the overlap: the client has had the time to ask the store since it began */
    :: atomic { overlap_runs && asked && (stage[0] == previous || stage[1] == previous || stage[2] == previous) ->
        find(previous, v); stage[v] = retired; change(); v = 0 }
#ifndef NO_LAST_LOOK
    /* the claim of a maker whose version was ended by somebody else is over */
    :: atomic { again != NOBODY && !is_made(again) -> again = NOBODY; change() }
#endif
    od
}

proctype client() {
end:
    do
    :: atomic { !deleted && at_current != NOBODY && (held != at_current || (overlap_runs && !asked)) -> held = at_current; asked = true }
    od
}

proctype revoker() {
    byte v;
    if
    :: atomic {
        find(pending, again);
        revoked = true;
        v = 0;
        do
        :: v < V -> if :: stage[v] != none -> stage[v] = retired :: else fi; v++
        :: else -> break
        od;
        v = 0; change() }
    :: skip
    fi
}

init {
    atomic {
        stage[0] = current; digest[0] = 1; text[0] = 1;
        run worker(0); run worker(1); run settler(); run clock(); run client();
#ifdef REVOKED
        run revoker()
#endif
    }
}

#define begun (stage[0] != none)
#define i1 (revoked || (at_current != NOBODY && !deleted && verifies(at_current)))
#define served (revoked || verifies(held))
#define single ((stage[0] == current) + (stage[1] == current) + (stage[2] == current) + (stage[3] == current) <= 1)
#define agrees (revoked && deleted || \
                !revoked && !deleted && at_current != NOBODY && stage[at_current] == current && \
                (at_pending == NOBODY || stage[at_pending] == pending) && (at_previous == NOBODY || stage[at_previous] == previous))

ltl promises { [] (begun -> (i1 && served && single)) }
ltl comes_to_rest { <> [] (begun && agrees && !one_pending) }
